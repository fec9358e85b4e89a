#include "engine/ops/conv2d.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/ops/check.h"
#include "engine/ops/conv2d_calls.h"
#include "engine/ops/conv_choice.h"
#include "engine/tensor/dense.h"

namespace eb::engine {

using kernels::Conv2d;
using Direction = Conv2d::Direction;

void check_positions(const Conv2d::Params& p, Device device) {
  const int64_t most = std::max(p.h * p.w, p.out_h() * p.out_w());
  if (device == Device::cpu || p.n * most < int64_t{1} << 31) return;
  constexpr int64_t countable = (int64_t{1} << 31) - 1;
  throw Error(errors::too_many_positions,
              fmt::format("a convolution over {} images of {} positions, and a card's kernels count to {}",
                          p.n, most, countable),
              most > countable ? "smaller images"
                               : fmt::format("at most {} images at a time: a smaller train.batch_size or "
                                             "train.eval_batch_size",
                                             countable / most));
}

Conv2d::Params conv2d_params(const Tensor& x, const Conv2dWeights& weights, const Conv2dOptions& o) {
  const DType dtype = dense_dtype(x);
  const Tensor &w = weights.w, &b = weights.b;
  const auto got = [&] { return "x " + describe(x) + ", w " + describe(w); };
  check(x.shape().size() == 4 && x.size() > 0, "conv2d", got, "x (N, H, W, C)");
  check(w.shape().size() == 4 && w.dtype() == dtype, "conv2d", got, "w (K, R, S, C / groups) of x's dtype");
  check(w.dim(3) * o.groups == x.dim(3) && w.dim(0) % o.groups == 0, "conv2d", got,
        [&] { return "w (K, R, S, C / groups) with " + std::to_string(o.groups) + " groups"; });
  check(
      !b.defined() || (b.size() == w.dim(0) && b.dtype() == DType::f32), "conv2d",
      [&] { return "b " + describe(b); }, [&] { return "f32 (" + std::to_string(w.dim(0)) + ")"; });
  Conv2d::Params p{dtype, x.dim(0), x.dim(1), x.dim(2), x.dim(3), w.dim(0), w.dim(1), w.dim(2)};
  p.stride_h = o.stride[0], p.stride_w = o.stride[1];
  p.pad_h = o.pad[0], p.pad_w = o.pad[1];
  p.groups = o.groups;
  p.deterministic = o.deterministic;
  check(p.h + 2 * p.pad_h >= p.r && p.w + 2 * p.pad_w >= p.s, "conv2d", got, "a kernel inside the padded x");
  check_positions(p, x.device());
  return p;
}

static Tensor pack(const Conv2d& k, const Conv2d::Params& p, Direction d, const Tensor& w,
                   const Tensor& space) {
  const size_t bytes = k.packed_bytes(p, d);
  if (bytes == 0) return w;
  Tensor packed = Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, w.device());
  k.pack(p, d, w.raw(), packed.raw(), space.raw());
  return packed;
}

// Packed once for all calls until the values change. Another batch size may want another layout, and so may
// another implementation.
static const Tensor& keep_packed(const Conv2d& k, const Conv2d::Params& p, Conv2dWeights& weights,
                                 const Tensor& space) {
  if (weights.packed.defined() && weights.packed_for == p && weights.packed_by == &k) return weights.packed;
  weights.packed_for = p;
  weights.packed_by = &k;
  return weights.packed = pack(k, p, Direction::forward, weights.w, space);
}

static Moments empty_moments(const Conv2d& k, const Conv2d::Params& p, Device device) {
  const int64_t rows = p.n * p.out_h() * p.out_w(), each = k.moment_rows(p);
  if (each == 0) return {};
  return {Tensor::empty({(rows + each - 1) / each, 2, p.k}, DType::f32, device), each};
}

Tensor conv2d_forward(const Conv2d::Params& p, const Tensor& x, Conv2dWeights& weights, Moments* moments,
                      ConvChoice* choice) {
  Tensor y = Tensor::empty({p.n, p.out_h(), p.out_w(), p.k}, x.dtype(), x.device());
  run_conv(choice, x.device(), p, Direction::forward, [&](const Conv2d& k) {
    const Tensor space = workspace(k.workspace_bytes(p, Direction::forward), x.device());
    const Tensor w = needs_grad(weights.w) ? pack(k, p, Direction::forward, weights.w, space)
                                           : keep_packed(k, p, weights, space);
    if (moments) *moments = empty_moments(k, p, x.device());
    k.forward(p, {.x = x.raw(),
                  .w = w.raw(),
                  .b = weights.b.data<float>(),
                  .y = y.raw(),
                  .workspace = space.raw(),
                  .moments = moments ? moments->values.data<float>() : nullptr});
  });
  return y;
}

void conv2d_backward_weight(const Conv2d::Params& p, const Tensor& x, const Tensor& dy, const Tensor& dw,
                            const Tensor& db, ConvChoice* choice) {
  run_conv(choice, dy.device(), p, Direction::backward_weight, [&](const Conv2d& k) {
    const Tensor space = workspace(k.workspace_bytes(p, Direction::backward_weight), dy.device());
    k.backward_weight(p, {.x = x.raw(),
                          .dy = dy.raw(),
                          .dw = dw.data<float>(),
                          .db = db.data<float>(),
                          .workspace = space.raw()});
  });
}

Tensor conv2d_backward_data(const Conv2d::Params& p, const Tensor& w, const Tensor& dy, const Shape& shape,
                            ConvChoice* choice) {
  Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
  run_conv(choice, dy.device(), p, Direction::backward_data, [&](const Conv2d& k) {
    const Tensor space = workspace(k.workspace_bytes(p, Direction::backward_data), dy.device()),
                 packed = pack(k, p, Direction::backward_data, w, space);
    k.backward_data(p, {.dy = dy.raw(), .w = packed.raw(), .dx = dx.raw(), .workspace = space.raw()});
  });
  return dx;
}

Tensor conv2d(const Tensor& x, Conv2dWeights& weights, const Conv2dOptions& options, Moments* moments) {
  const Conv2d::Params p = conv2d_params(x, weights, options);
  const auto gradients = [p, w = weights.w, b = weights.b, x = x.detach(), want_dx = needs_grad(x),
                          choice = options.choice](const Tensor& dy) {
    Tensor dw = grad_buffer(w), db = b.defined() ? grad_buffer(b) : Tensor();
    conv2d_backward_weight(p, x, dy, dw, db, choice);
    Tensor dx = want_dx ? conv2d_backward_data(p, w, dy, x.shape(), choice) : Tensor();
    return std::vector<Tensor>{dx, dw, db};
  };
  return record(conv2d_forward(p, x, weights, moments, options.choice), {x, weights.w, weights.b}, gradients);
}

}  // namespace eb::engine
