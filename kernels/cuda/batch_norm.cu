// Batch norm forward: sums shifted by the first row (so that the variance of a large mean survives fp32), a
// merge in double with a warp a channel, and one pass that normalises, adds the residual and applies relu.
#include "kernels/cuda/batch_norm.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

using Params = BatchNorm::Params;

template <class T, int N>
__global__ void statistics_kernel(BnCut cut, const T* x, const int32_t* select, float* partial) {
  const BnThread<N> t(cut);
  float sum[N] = {}, squares[N] = {}, shift[N] = {};
  if (t.active) {
    bn_load(x, select, 0, cut.c_in, t.channel, shift);
#pragma unroll 4
    for (int64_t row = t.row; row < t.end_row; row += t.step) {
      float v[N];
      bn_load(x, select, row, cut.c_in, t.channel, v);
      for (int i = 0; i < N; ++i) {
        const float d = v[i] - shift[i];
        sum[i] += d;
        squares[i] += d * d;
      }
    }
  }
  bn_store_sums<N>(cut, sum, squares, partial);
}

struct Vectors {  // fp32, by channel
  const float *gamma, *beta;
  float *mean, *rstd, *running_mean, *running_var;
};

// y = (x - mean) * scale + beta
struct Affine {
  float *mean, *scale, *beta;
};

template <class T>
__global__ void merge_kernel(Params p, int64_t slices, const T* x, const int32_t* select,
                             const float* partial, Vectors v, Affine a) {
  const int64_t j = int64_t{blockIdx.x} * (bn_threads / warp_size) + threadIdx.x / warp_size;
  if (j >= p.c) return;  // a whole warp
  double sum, squares;
  bn_total(partial, slices, p.c, j, sum, squares);
  if (threadIdx.x % warp_size != 0) return;
  const int64_t at = select ? select[j] : j;
  const double n = static_cast<double>(p.rows), shifted = sum / n;
  const double m2 = squares - sum * shifted > 0 ? squares - sum * shifted : 0;
  const float mean = static_cast<float>(static_cast<double>(static_cast<float>(x[at])) + shifted);
  const float rstd = static_cast<float>(1 / sqrt(m2 / n + p.eps));
  v.mean[j] = mean;
  v.rstd[j] = rstd;
  v.running_mean[at] += p.momentum * (mean - v.running_mean[at]);
  v.running_var[at] += p.momentum * (static_cast<float>(m2 / (n > 2 ? n - 1 : 1)) - v.running_var[at]);
  a.mean[j] = mean;
  a.scale[j] = v.gamma[at] * rstd;
  a.beta[j] = v.beta[at];
}

__global__ void infer_kernel(Params p, const int32_t* select, Vectors v, Affine a) {
  const int64_t j = int64_t{blockIdx.x} * bn_threads + threadIdx.x;
  if (j >= p.c) return;
  const int64_t at = select ? select[j] : j;
  a.mean[j] = v.running_mean[at];
  a.scale[j] = static_cast<float>(v.gamma[at] / sqrt(static_cast<double>(v.running_var[at]) + p.eps));
  a.beta[j] = v.beta[at];
}

template <class T, int N, bool relu, bool residual>
__global__ void apply_kernel(BnCut cut, Affine a, const T* x, const int32_t* select, const T* add, T* y) {
  const BnThread<N> t(cut);
  if (!t.active) return;
  float mean[N], scale[N], beta[N];
  load_floats(a.mean + t.channel, mean);
  load_floats(a.scale + t.channel, scale);
  load_floats(a.beta + t.channel, beta);
#pragma unroll 4
  for (int64_t row = t.row; row < t.end_row; row += t.step) {
    float v[N], r[N] = {};
    bn_load(x, select, row, cut.c_in, t.channel, v);
    if constexpr (residual) load_floats(add + row * cut.c + t.channel, r);
    for (int i = 0; i < N; ++i) {
      v[i] = (v[i] - mean[i]) * scale[i] + beta[i] + r[i];
      if constexpr (relu) v[i] = v[i] < 0.f ? 0.f : v[i];
    }
    store_floats(y + row * cut.c + t.channel, v);
  }
}

template <class T, int N>
void apply(const Params& p, const Affine& a, const void* x, const int32_t* select, const void* residual,
           void* y) {
  const BnCut cut = bn_cut<N>(p);
  const auto run = [&]<bool relu, bool add>() {
    launch({"batch_norm_apply", bn_grid(cut), bn_threads}, apply_kernel<T, N, relu, add>, cut, a,
           static_cast<const T*>(x), select, static_cast<const T*>(residual), static_cast<T*>(y));
  };
  if (residual)
    p.relu ? run.template operator()<true, true>() : run.template operator()<false, true>();
  else
    p.relu ? run.template operator()<true, false>() : run.template operator()<false, false>();
}

// Vectors of c floats in scratch memory, 32-byte aligned, then `more` floats.
Affine scratch_affine(int64_t c, int64_t more, float** rest) {
  const int64_t each = ceil_div(c, 8) * 8;
  auto* base = static_cast<float*>(scratch(static_cast<size_t>(3 * each + more) * sizeof(float)));
  if (rest) *rest = base + 3 * each;
  return {base, base + each, base + 2 * each};
}

void forward_train(const Params& p, const void* x, const int32_t* select, const float* gamma,
                   const float* beta, const void* residual, void* y, float* mean, float* rstd,
                   float* running_mean, float* running_var) {
  bn_by_width(p, select, [&]<class T, int N>() {
    const BnCut cut = bn_cut<N>(p);
    float* partial = nullptr;
    const Affine a = scratch_affine(p.c, cut.slices * 2 * p.c, &partial);
    launch({"batch_norm_statistics", bn_grid(cut), bn_threads, sizeof(BnSums<N>)}, statistics_kernel<T, N>,
           cut, static_cast<const T*>(x), select, partial);
    launch({"batch_norm_merge", blocks_for(p.c, bn_threads / warp_size), bn_threads}, merge_kernel<T>, p,
           cut.slices, static_cast<const T*>(x), select, static_cast<const float*>(partial),
           Vectors{gamma, beta, mean, rstd, running_mean, running_var}, a);
    apply<T, N>(p, a, x, select, residual, y);
  });
}

void forward_infer(const Params& p, const void* x, const int32_t* select, const float* gamma,
                   const float* beta, const float* running_mean, const float* running_var,
                   const void* residual, void* y) {
  const Affine a = scratch_affine(p.c, 0, nullptr);
  launch({"batch_norm_infer", blocks_for(p.c, bn_threads), bn_threads}, infer_kernel, p, select,
         Vectors{gamma, beta, nullptr, nullptr, const_cast<float*>(running_mean),
                 const_cast<float*>(running_var)},
         a);
  bn_by_width(p, select, [&]<class T, int N>() { apply<T, N>(p, a, x, select, residual, y); });
}

}  // namespace

extern const BatchNorm batch_norm;
const BatchNorm batch_norm{forward_train, forward_infer, batch_norm_backward};

}  // namespace eb::kernels::EB_BACKEND
