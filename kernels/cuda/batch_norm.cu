// Batch norm forward: sums shifted by the first row (so that the variance of a large mean survives fp32), a
// merge in double with a warp a channel, and one pass that normalises, adds the residual and applies relu.
#include "kernels/cuda/batch_norm.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

using Params = BatchNorm::Params;

// Moments of a thread's rows. Sums are shifted by its first row, and means are told relative to the tensor's
// first row, so that a large mean swallows neither the variance nor the differences between threads.
template <class T, int N>
__device__ float thread_moments(const BnCut& cut, const BnThread<N>& t, const T* x, const int32_t* select,
                                float (&mean)[N], float (&m2)[N]) {
  float origin[N], shift[N], sum[N] = {}, squares[N] = {}, count = 0;
  if (!t.active || t.row >= t.end_row) return 0;
  bn_load(x, select, 0, cut.c_in, t.channel, origin);
  bn_load(x, select, t.row, cut.c_in, t.channel, shift);
#pragma unroll 4
  for (int64_t row = t.row; row < t.end_row; row += t.step) {
    float v[N];
    bn_load(x, select, row, cut.c_in, t.channel, v);
    for (int i = 0; i < N; ++i) {
      const float d = v[i] - shift[i];
      sum[i] += d;
      squares[i] += d * d;
    }
    count += 1;
  }
  for (int i = 0; i < N; ++i) {
    const float shifted = sum[i] / count, deviations = squares[i] - sum[i] * shifted;
    mean[i] = (shift[i] - origin[i]) + shifted;
    m2[i] = deviations > 0.f ? deviations : deviations < 0.f ? 0.f : deviations;  // NaN stays
  }
  return count;
}

template <int N>
struct ThreadMoments {
  float mean[bn_threads * N], m2[bn_threads * N], count[bn_threads];
};

// partial (slices, 2, c): mean and m2 of every slice.
template <class T, int N>
__global__ void statistics_kernel(BnCut cut, const T* x, const int32_t* select, float* partial) {
  auto& s = shared<ThreadMoments<N>>();
  float mean[N] = {}, m2[N] = {};
  s.count[threadIdx.x] = thread_moments(cut, BnThread<N>(cut), x, select, mean, m2);
  for (int i = 0; i < N; ++i) {
    s.mean[threadIdx.x * N + i] = mean[i];
    s.m2[threadIdx.x * N + i] = m2[i];
  }
  sync_threads();
  const int width = cut.across * N;
  for (int column = threadIdx.x; column < width; column += bn_threads) {
    const int64_t channel = int64_t{blockIdx.x} * width + column;
    if (channel >= cut.c) continue;
    Moments<float> m;
    for (int row = 0; row < cut.down; ++row) {
      const int at = row * width + column;
      m.merge(s.count[row * cut.across + column / N], s.mean[at], s.m2[at]);
    }
    partial[(blockIdx.y * 2) * cut.c + channel] = m.mean;
    partial[(blockIdx.y * 2 + 1) * cut.c + channel] = m.m2;
  }
}

// All slices of a channel by one warp: each lane its own in order, then the lanes pairwise.
__device__ Moments<double> merge_slices(const BnCut& cut, const float* partial, int64_t channel) {
  Moments<double> m;
  for (int64_t s = threadIdx.x % warp_size; s < cut.slices; s += warp_size) {
    const int64_t left = cut.rows - s * cut.rows_per_slice;
    m.merge(static_cast<double>(left < cut.rows_per_slice ? left : cut.rows_per_slice),
            partial[s * 2 * cut.c + channel], partial[(s * 2 + 1) * cut.c + channel]);
  }
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    const double count = shuffle_down(full_warp, m.count, offset),
                 mean = shuffle_down(full_warp, m.mean, offset), m2 = shuffle_down(full_warp, m.m2, offset);
    m.merge(count, mean, m2);  // only lane 0's is used
  }
  return m;
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
__global__ void merge_kernel(Params p, BnCut cut, const T* x, const int32_t* select, const float* partial,
                             Vectors v, Affine a) {
  const int64_t j = int64_t{blockIdx.x} * (bn_threads / warp_size) + threadIdx.x / warp_size;
  if (j >= p.c) return;  // a whole warp
  const Moments<double> m = merge_slices(cut, partial, j);
  if (threadIdx.x % warp_size != 0) return;
  const int64_t at = select ? select[j] : j;
  const double origin = static_cast<float>(x[at]);
  const float mean = static_cast<float>(origin + m.mean),
              rstd = static_cast<float>(1 / sqrt(m.m2 / m.count + p.eps));
  const double unbiased = m.count > 1 ? m.count - 1 : 1;
  v.mean[j] = mean;
  v.rstd[j] = rstd;
  v.running_mean[at] += p.momentum * (mean - v.running_mean[at]);
  v.running_var[at] += p.momentum * (static_cast<float>(m.m2 / unbiased) - v.running_var[at]);
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
    launch({"batch_norm_statistics", bn_grid(cut), bn_threads, sizeof(ThreadMoments<N>)},
           statistics_kernel<T, N>, cut, static_cast<const T*>(x), select, partial);
    launch({"batch_norm_merge", blocks_for(p.c, bn_threads / warp_size), bn_threads}, merge_kernel<T>, p, cut,
           static_cast<const T*>(x), select, static_cast<const float*>(partial),
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
