#include "engine/ops/pool2d.h"

#include "engine/ops/check.h"
#include "kernels/pool2d.h"

namespace eb::engine {

using kernels::Pool2d;

static Pool2d::Params params_of(const Tensor& x, const Pool2dOptions& o) {
  check(x.shape().size() == 4 && x.size() > 0, "pool2d", x, "x (N, H, W, C)");
  for (int axis : {0, 1})
    check(x.dim(1 + axis) + 2 * o.pad[axis] >= o.kernel[axis], "pool2d", x, "a window inside the padded x");
  return {x.dtype(),   x.dim(0),    x.dim(1),    x.dim(2), x.dim(3), o.kernel[0],
          o.kernel[1], o.stride[0], o.stride[1], o.pad[0], o.pad[1]};
}

static Tensor output(const Tensor& x, const Pool2d::Params& p, DType dtype) {
  return Tensor::empty({p.n, p.out_h(), p.out_w(), p.c}, dtype, x.device());
}

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const Pool2d::Params p = params_of(x, options);
  Tensor y = output(x, p, x.dtype());
  Tensor index = needs_grad(x) ? output(x, p, DType::u8) : Tensor();
  kernels::pool2d(x.device()).max_forward(p, x.raw(), y.raw(), index.data<uint8_t>());
  return record(y, {x}, [p, index, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    kernels::pool2d(dy.device()).max_backward(p, index.data<uint8_t>(), dy.raw(), dx.raw());
    return std::vector<Tensor>{dx};
  });
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const Pool2d::Params p = params_of(x, options);
  Tensor y = output(x, p, x.dtype());
  kernels::pool2d(x.device()).avg_forward(p, x.raw(), y.raw());
  return record(y, {x}, [p, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    kernels::pool2d(dy.device()).avg_backward(p, dy.raw(), dx.raw());
    return std::vector<Tensor>{dx};
  });
}

Tensor global_avg_pool2d(const Tensor& x) {
  check(x.shape().size() == 4, "global_avg_pool2d", x, "x (N, H, W, C)");
  return avg_pool2d(x, {{x.dim(1), x.dim(2)}, {1, 1}});
}

}  // namespace eb::engine
