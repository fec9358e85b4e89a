#include "engine/bfp/quantize.h"

namespace eb::engine {

int64_t BlockFormat::block_of(const Shape& shape) const {
  const int64_t size = element_count(shape);
  if (block == Block::element) return 1;
  return block == Block::tensor ? size : size / shape[0];
}

Tensor quantize(const Tensor& x, const BlockFormat& format, const Rounding& rounding, const Tensor& largest) {
  const int64_t block = format.block_of(x.shape());
  const Quantize::Params p = {.dtype = x.dtype(),
                              .blocks = x.size() / block,
                              .block = block,
                              .bits = format.bits,
                              .rounding = rounding.kind,
                              .seed = rounding.seed,
                              .tensor = rounding.tensor,
                              .first = rounding.first_sample * (x.size() / x.dim(0))};
  Tensor codes = Tensor::empty(x.shape(), DType::i8, x.device());
  const Tensor exponents = Tensor::empty({p.blocks}, DType::i16, x.device());
  const Quantize& k = kernels::quantize(x.device());
  const Tensor space = workspace(k.workspace_bytes(p), x.device());
  k.quantize(p, {.x = x.raw(),
                 .step = rounding.step,
                 .largest = largest.data<uint32_t>(),
                 .codes = codes.data<int8_t>(),
                 .exponents = exponents.data<int16_t>(),
                 .counts = rounding.counts,
                 .workspace = space.raw()});
  codes.set_blocks(std::make_shared<Blocks>(Blocks{exponents, p.block, p.bits, x.dtype()}));
  codes.set_node(x.node());
  return codes;
}

}  // namespace eb::engine
