#include "engine/ops/elementwise.h"

#include "engine/ops/check.h"
#include "kernels/elementwise.h"

namespace eb::engine {

static const kernels::Elementwise& kernel(const Tensor& t) {
  return kernels::elementwise(t.device());
}

Tensor relu(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  kernel(x).relu_forward({x.dtype(), x.size()}, x.raw(), y.raw());
  return record(y, {x}, [saved = y.detach()](const Tensor& dy) {
    Tensor dx = reusable(dy);
    kernel(dy).relu_backward({dy.dtype(), dy.size()}, saved.raw(), dy.raw(), dx.raw());
    return std::vector<Tensor>{dx};
  });
}

Tensor add(Tensor a, const Tensor& b) {
  check(
      a.shape() == b.shape() && a.dtype() == b.dtype(), "add",
      [&] { return describe(a) + " and " + describe(b); }, "two alike");
  const Tensor y = a.unique() ? a.detach() : Tensor::empty(a.shape(), a.dtype(), a.device());
  kernel(a).add({a.dtype(), a.size()}, a.raw(), b.raw(), y.raw());
  return record(y, {a, b}, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  kernel(x).cast(x.size(), x.dtype(), x.raw(), dtype, y.raw());
  return record(y, {x}, [from = x.dtype()](const Tensor& dy) { return std::vector<Tensor>{cast(dy, from)}; });
}

Tensor select(const Tensor& x, const Tensor& keep) {
  check(x.shape().size() == 4 && x.size() > 0, "select", x, "x (N, H, W, C)");
  check(ascends_below(keep, x.dim(3)), "select", "other channels to keep",
        [&] { return "ascending channels of x " + describe(x); });
  const int64_t c = x.dim(3), k = keep.size(), rows = x.size() / c;
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), x.dim(2), k}, x.dtype(), x.device());
  kernel(x).select_forward(x.dtype(), rows, c, k, x.raw(), keep.data<int32_t>(), y.raw());
  return record(y, {x}, [rows, c, k, keep, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    kernel(dy).select_backward(dy.dtype(), rows, c, k, dy.raw(), keep.data<int32_t>(), dx.raw());
    return std::vector<Tensor>{dx};
  });
}

}  // namespace eb::engine
