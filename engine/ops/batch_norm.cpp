#include "engine/ops/batch_norm.h"

#include "engine/ops/check.h"
#include "engine/tensor/dense.h"
#include "kernels/batch_norm.h"

namespace eb::engine {

using kernels::BatchNorm;

static BatchNorm::Params params_of(const Tensor& x, const BatchNormOptions& o) {
  const int64_t c = x.dim(3);
  return {x.dtype(), x.size() / c, c,      o.select.defined() ? o.select.size() : c,
          o.eps,     o.momentum,   o.relu, x.dim(1) * x.dim(2)};
}

static Shape with_channels(const Tensor& x, int64_t c) {
  return {x.dim(0), x.dim(1), x.dim(2), c};
}

static uint32_t* room_for_largest(const Tensor& x, const BatchNormOptions& o) {
  if (!o.largest) return nullptr;
  *o.largest = Tensor::empty({x.dim(0)}, DType::i32, x.device());
  return o.largest->data<uint32_t>();
}

static Tensor train(const Tensor& given, const Tensor& gamma, const Tensor& beta, float* running_mean,
                    float* running_var, const Tensor& residual, const BatchNormOptions& o) {
  const Tensor x = dense(given);
  const BatchNorm& k = kernels::batch_norm(x.device());
  const BatchNorm::Params p = params_of(x, o);
  const Tensor select = o.select;
  Tensor y = Tensor::empty(with_channels(x, p.c), x.dtype(), x.device());
  Tensor mean = Tensor::empty({p.c}, DType::f32, x.device()),
         rstd = Tensor::empty({p.c}, DType::f32, x.device());
  const Tensor space = workspace(k.workspace_bytes(p, BatchNorm::Direction::forward_train), x.device());
  k.forward_train(p, {.x = x.raw(),
                      .select = select.data<int32_t>(),
                      .gamma = gamma.data<float>(),
                      .beta = beta.data<float>(),
                      .residual = residual.raw(),
                      .y = y.raw(),
                      .mean = mean.data<float>(),
                      .rstd = rstd.data<float>(),
                      .running_mean = running_mean,
                      .running_var = running_var,
                      .moments = {o.moments.values.data<float>(), o.moments.rows_per_slice},
                      .largest = room_for_largest(x, o),
                      .workspace = space.raw()});
  const Tensor saved_y = o.relu && residual.defined() ? y.detach() : Tensor();
  const auto gradients = [p, select, saved_x = given.detach(), gamma = gamma, beta = beta, mean, rstd,
                          saved_y, want_residual = needs_grad(residual)](const Tensor& dy) {
    const BatchNorm& k = kernels::batch_norm(dy.device());
    const Tensor x = dense(saved_x);
    Tensor dx = p.c == p.c_in ? reusable(dy) : Tensor::empty(x.shape(), x.dtype(), x.device());
    Tensor dresidual = want_residual ? Tensor::empty(dy.shape(), dy.dtype(), dy.device()) : Tensor();
    Tensor dgamma = grad_buffer(gamma), dbeta = grad_buffer(beta);
    const Tensor space = workspace(k.workspace_bytes(p, BatchNorm::Direction::backward), dy.device());
    k.backward(p, {.x = x.raw(),
                   .select = select.data<int32_t>(),
                   .gamma = gamma.data<float>(),
                   .beta = beta.data<float>(),
                   .mean = mean.data<float>(),
                   .rstd = rstd.data<float>(),
                   .y = saved_y.raw(),
                   .dy = dy.raw(),
                   .dx = dx.raw(),
                   .dresidual = dresidual.raw(),
                   .dgamma = dgamma.data<float>(),
                   .dbeta = dbeta.data<float>(),
                   .workspace = space.raw()});
    return std::vector<Tensor>{dx, dgamma, dbeta, dresidual};
  };
  return record(y, {given, gamma, beta, residual}, gradients);
}

static Tensor infer(const Tensor& x, const Tensor& gamma, const Tensor& beta, const float* running_mean,
                    const float* running_var, const Tensor& residual, const BatchNormOptions& o) {
  const BatchNorm& k = kernels::batch_norm(x.device());
  const BatchNorm::Params p = params_of(x, o);
  Tensor y = Tensor::empty(with_channels(x, p.c), x.dtype(), x.device());
  const Tensor space = workspace(k.workspace_bytes(p, BatchNorm::Direction::forward_infer), x.device());
  k.forward_infer(p, {.x = x.raw(),
                      .select = o.select.data<int32_t>(),
                      .gamma = gamma.data<float>(),
                      .beta = beta.data<float>(),
                      .running_mean = running_mean,
                      .running_var = running_var,
                      .residual = residual.raw(),
                      .y = y.raw(),
                      .largest = room_for_largest(x, o),
                      .workspace = space.raw()});
  return y;
}

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float* running_mean,
                  float* running_var, const Tensor& residual, const BatchNormOptions& o) {
  check(x.shape().size() == 4 && x.size() > 0, "batch_norm", x, "x (N, H, W, C)");
  for (const Tensor* t : {&gamma, &beta})
    check(
        t->size() == x.dim(3) && t->dtype() == DType::f32, "batch_norm",
        [&] { return "gamma or beta " + describe(*t); },
        [&] { return "f32 (" + std::to_string(x.dim(3)) + ")"; });
  check(ascends_below(o.select, x.dim(3)), "batch_norm", "other channels to keep",
        [&] { return "ascending channels of x " + describe(x); });
  const BatchNorm::Params p = params_of(x, o);
  check(
      !residual.defined() ||
          (residual.shape() == with_channels(x, p.c) && residual.dtype() == dense_dtype(x)),
      "batch_norm", [&] { return "residual " + describe(residual); },
      [&] { return "the shape of y, " + to_string(with_channels(x, p.c)); });
  if (o.train) return train(x, gamma, beta, running_mean, running_var, residual, o);
  return infer(dense(x), gamma, beta, running_mean, running_var, residual, o);
}

}  // namespace eb::engine
