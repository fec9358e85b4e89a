#include "engine/bfp/quantize.h"

namespace eb::engine {

int64_t BlockFormat::block_of(const Shape& shape) const {
  const int64_t size = element_count(shape);
  if (block == Block::element) return 1;
  return block == Block::tensor ? size : size / shape[0];
}

static Quantize::Params params_of(const Tensor& x, DType dense, int64_t block, int bits) {
  return {.dtype = dense, .blocks = x.size() / block, .block = block, .bits = bits};
}

Tensor quantize(const Tensor& x, const BlockFormat& format, const Rounding& rounding, const Tensor& largest) {
  Quantize::Params p = params_of(x, x.dtype(), format.block_of(x.shape()), format.bits);
  p.rounding = rounding.kind;
  p.seed = rounding.seed;
  p.tensor = rounding.tensor;
  Tensor codes = Tensor::empty(x.shape(), DType::i8, x.device());
  const Tensor exponents = Tensor::empty({p.blocks}, DType::i16, x.device());
  kernels::quantize(x.device())
      .quantize(p, x.raw(), rounding.step, largest.data<uint32_t>(), codes.data<int8_t>(),
                exponents.data<int16_t>(), rounding.counts);
  codes.set_blocks(std::make_shared<Blocks>(exponents, p.block, p.bits, x.dtype()));
  codes.set_node(x.node());
  return codes;
}

DType dense_dtype(const Tensor& x) {
  return x.blocks() ? x.blocks()->dense : x.dtype();
}

Tensor dense(const Tensor& x) {
  const Blocks* b = x.blocks();
  if (!b) return x;
  Tensor y = Tensor::empty(x.shape(), b->dense, x.device());
  kernels::quantize(x.device())
      .dequantize(params_of(x, b->dense, b->block, b->bits), x.data<int8_t>(), b->exponents.data<int16_t>(),
                  y.raw());
  y.set_node(x.node());
  return y;
}

}  // namespace eb::engine
