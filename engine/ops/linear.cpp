#include "engine/ops/linear.h"

#include "engine/ops/check.h"
#include "kernels/linear.h"

namespace eb::engine {

using kernels::Linear;

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, bool deterministic) {
  const auto got = [&] { return "x " + describe(x) + ", w " + describe(w) + ", b " + describe(b); };
  check(x.shape().size() >= 2 && x.size() > 0, "linear", got, "x (N, H, W, C)");
  const int64_t n = x.dim(0), in = x.size() / n, out = w.dim(0);
  check(w.size() == out * in && w.dtype() == x.dtype(), "linear", got, "w (out, H, W, C) of x's dtype");
  check(!b.defined() || (b.size() == out && b.dtype() == DType::f32), "linear", got, "b (out) f32");
  const Linear::Params p{.dtype = x.dtype(), .n = n, .in = in, .out = out, .deterministic = deterministic};
  Tensor y = Tensor::empty({n, 1, 1, out}, x.dtype(), x.device());
  kernels::linear(x.device()).forward(p, x.raw(), w.raw(), b.data<float>(), y.raw());
  return record(y, {x, w, b}, [p, x = x.detach(), w = w, b = b, want_dx = needs_grad(x)](const Tensor& dy) {
    const Linear& k = kernels::linear(dy.device());
    Tensor dw = grad_buffer(w), db = b.defined() ? grad_buffer(b) : Tensor();
    k.backward_weight(p, x.raw(), dy.raw(), dw.data<float>(), db.data<float>());
    Tensor dx = want_dx ? Tensor::empty(x.shape(), x.dtype(), x.device()) : Tensor();
    if (want_dx) k.backward_data(p, dy.raw(), w.raw(), dx.raw());
    return std::vector<Tensor>{dx, dw, db};
  });
}

}  // namespace eb::engine
