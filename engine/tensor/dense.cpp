#include "engine/tensor/dense.h"

#include "kernels/quantize.h"

namespace eb::engine {

DType dense_dtype(const Tensor& x) {
  return x.blocks() ? x.blocks()->dense : x.dtype();
}

Tensor dense(const Tensor& x) {
  const Blocks* b = x.blocks();
  if (!b) return x;
  Tensor y = Tensor::empty(x.shape(), b->dense, x.device());
  kernels::quantize(x.device())
      .dequantize({.dtype = b->dense, .blocks = x.size() / b->block, .block = b->block, .bits = b->bits},
                  x.data<int8_t>(), b->exponents.data<int16_t>(), y.raw());
  y.set_node(x.node());
  return y;
}

}  // namespace eb::engine
