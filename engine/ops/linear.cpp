#include "engine/ops/linear.h"

#include "engine/ops/check.h"
#include "kernels/linear.h"

namespace eb::engine {

using kernels::Linear;

static void backward_weight(const Linear::Params& p, const Tensor& x, const Tensor& dy, const Tensor& dw,
                            const Tensor& db) {
  const Linear& k = kernels::linear(dy.device());
  const Tensor space = workspace(k.workspace_bytes(p, Linear::Direction::backward_weight), dy.device());
  k.backward_weight(p, {.x = x.raw(),
                        .dy = dy.raw(),
                        .dw = dw.data<float>(),
                        .db = db.data<float>(),
                        .workspace = space.raw()});
}

static Tensor backward_data(const Linear::Params& p, const Tensor& w, const Tensor& dy, const Shape& shape) {
  const Linear& k = kernels::linear(dy.device());
  const Tensor space = workspace(k.workspace_bytes(p, Linear::Direction::backward_data), dy.device());
  Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
  k.backward_data(p, {.dy = dy.raw(), .w = w.raw(), .dx = dx.raw(), .workspace = space.raw()});
  return dx;
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, bool deterministic) {
  const auto got = [&] { return "x " + describe(x) + ", w " + describe(w) + ", b " + describe(b); };
  check(x.shape().size() >= 2 && x.size() > 0, "linear", got, "x (N, H, W, C)");
  const int64_t n = x.dim(0), in = x.size() / n, out = w.dim(0);
  check(w.size() == out * in && w.dtype() == x.dtype(), "linear", got, "w (out, H, W, C) of x's dtype");
  check(!b.defined() || (b.size() == out && b.dtype() == DType::f32), "linear", got, "b (out) f32");
  const Linear::Params p{.dtype = x.dtype(), .n = n, .in = in, .out = out, .deterministic = deterministic};
  Tensor y = Tensor::empty({n, 1, 1, out}, x.dtype(), x.device());
  const Linear& k = kernels::linear(x.device());
  const Tensor space = workspace(k.workspace_bytes(p, Linear::Direction::forward), x.device());
  k.forward(p, {.x = x.raw(), .w = w.raw(), .b = b.data<float>(), .y = y.raw(), .workspace = space.raw()});
  return record(y, {x, w, b}, [p, x = x.detach(), w = w, b = b, want_dx = needs_grad(x)](const Tensor& dy) {
    Tensor dw = grad_buffer(w), db = b.defined() ? grad_buffer(b) : Tensor();
    backward_weight(p, x, dy, dw, db);
    return std::vector<Tensor>{want_dx ? backward_data(p, w, dy, x.shape()) : Tensor(), dw, db};
  });
}

}  // namespace eb::engine
