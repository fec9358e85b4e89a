#include "engine/ops/conv2d.h"

#include "engine/ops/check.h"
#include "kernels/conv2d.h"

namespace eb::engine {

using kernels::Conv2d;
using Direction = Conv2d::Direction;

static Conv2d::Params params_of(const Tensor& x, const Tensor& w, const Conv2dOptions& o) {
  check(x.shape().size() == 4 && w.shape().size() == 4, "conv2d", describe(x) + " and " + describe(w),
        "x (N, H, W, C)");
  check(x.dtype() == w.dtype(), "conv2d", describe(x) + " and " + describe(w), "one dtype");
  check(w.dim(3) * o.groups == x.dim(3), "conv2d", "x " + describe(x) + ", w " + describe(w),
        "w (K, R, S, C / groups)");
  Conv2d::Params p{x.dtype(), x.dim(0), x.dim(1), x.dim(2), x.dim(3), w.dim(0), w.dim(1), w.dim(2)};
  p.stride_h = o.stride[0], p.stride_w = o.stride[1];
  p.pad_h = o.pad[0], p.pad_w = o.pad[1];
  p.groups = o.groups;
  p.deterministic = o.deterministic;
  return p;
}

static Tensor workspace(const Conv2d& k, const Conv2d::Params& p, Direction d, Device device) {
  return Tensor::empty({static_cast<int64_t>(k.workspace_bytes(p, d))}, DType::u8, device);
}

// w in the layout `d` reads; kept in `slot` until the values change.
static const Tensor& packed(const Conv2d& k, const Conv2d::Params& p, Direction d, const Tensor& w,
                            Tensor& slot) {
  const size_t bytes = k.packed_bytes(p, d);
  if (bytes == 0) return w;
  if (!slot.defined() || slot.bytes() != bytes) {
    slot = Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, w.device());
    k.pack(p, d, w.raw(), slot.raw());
  }
  return slot;
}

static Tensor backward_data(const Conv2d::Params& p, Conv2dWeights& weights, const Tensor& dy,
                            const Shape& shape) {
  const Conv2d& k = kernels::conv2d(dy.device());
  Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
  const Tensor& w = packed(k, p, Direction::backward_data, weights.w, weights.packed_backward);
  k.backward_data(p, dy.raw(), w.raw(), dx.raw(),
                  workspace(k, p, Direction::backward_data, dy.device()).raw());
  return dx;
}

Tensor conv2d(const Tensor& x, Conv2dWeights& weights, const Conv2dOptions& options) {
  const Conv2d::Params p = params_of(x, weights.w, options);
  const Conv2d& k = kernels::conv2d(x.device());
  Tensor y = Tensor::empty({p.n, p.out_h(), p.out_w(), p.k}, x.dtype(), x.device());
  const Tensor& w = packed(k, p, Direction::forward, weights.w, weights.packed_forward);
  const float* b = weights.b.defined() ? weights.b.data<float>() : nullptr;
  k.forward(p, x.raw(), w.raw(), b, y.raw(), workspace(k, p, Direction::forward, x.device()).raw());

  const auto gradients = [p, &weights, x = x.detach(), want_dx = needs_grad(x)](const Tensor& dy) {
    const Conv2d& k = kernels::conv2d(dy.device());
    Tensor dw = grad_buffer(weights.w);
    Tensor db = weights.b.defined() ? grad_buffer(weights.b) : Tensor();
    k.backward_weight(p, x.raw(), dy.raw(), dw.data<float>(), db.defined() ? db.data<float>() : nullptr,
                      workspace(k, p, Direction::backward_weight, dy.device()).raw());
    Tensor dx = want_dx ? backward_data(p, weights, dy, x.shape()) : Tensor();
    return std::vector<Tensor>{dx, dw, db};
  };
  return record(y, {x, weights.w, weights.b}, gradients);
}

}  // namespace eb::engine
