// Batch norm backward: g is dy under relu's mask (from y, or recomputed from x, which saves reading y); one
// pass sums g and g (x - mean), a warp a channel turns the sums into coefficients, one pass writes dx = scale
// * (g - mean(g) - (x - mean) * slope). (Ioffe and Szegedy 2015, section 3)
#include "kernels/cuda/batch_norm.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

using Params = BatchNorm::Params;
enum class Mask { none, from_y, from_x };

struct Coefficients {  // by channel of y
  float *mean, *scale, *beta, *offset, *slope;
};

struct Gradients {
  const float *gamma, *beta, *mean, *rstd;
  float *dgamma, *dbeta;
};

// dx may alias dy, so no pointer is __restrict__.
template <class T>
struct Tensors {
  const T *x, *y, *dy;
  T *dx, *dresidual;
};

template <Mask mask, int N>
__device__ void apply_mask(const float (&centred)[N], const float (&scale)[N], const float (&beta)[N],
                           const float (&y)[N], float (&g)[N]) {
  for (int i = 0; i < N; ++i) {
    if constexpr (mask == Mask::from_y) g[i] = y[i] > 0.f ? g[i] : 0.f;
    if constexpr (mask == Mask::from_x) g[i] = centred[i] * scale[i] + beta[i] > 0.f ? g[i] : 0.f;
  }
}

// One row's x - mean and masked gradient.
template <Mask mask, class T, int N>
__device__ void load_row(const BnCut& cut, const Tensors<T>& t, const int32_t* select, int64_t row,
                         int64_t channel, const float (&mean)[N], const float (&scale)[N],
                         const float (&beta)[N], float (&centred)[N], float (&g)[N]) {
  float y[N] = {};
  bn_load(t.x, select, row, cut.c_in, channel, centred);
  load_floats(t.dy + row * cut.c + channel, g);
  if constexpr (mask == Mask::from_y) load_floats(t.y + row * cut.c + channel, y);
  for (int i = 0; i < N; ++i) centred[i] -= mean[i];
  apply_mask<mask>(centred, scale, beta, y, g);
}

__global__ void prepare_kernel(Params p, const int32_t* select, Gradients v, Coefficients a) {
  const int64_t j = int64_t{blockIdx.x} * bn_threads + threadIdx.x;
  if (j < p.c_in && select) v.dgamma[j] = v.dbeta[j] = 0.f;  // unselected channels stay so
  if (j >= p.c) return;
  const int64_t at = select ? select[j] : j;
  a.mean[j] = v.mean[j];
  a.scale[j] = v.gamma[at] * v.rstd[j];
  a.beta[j] = v.beta[at];
}

template <class T, int N, Mask mask>
__global__ void sums_kernel(BnCut cut, Tensors<T> tensors, const int32_t* select, Coefficients a,
                            float* partial) {
  const BnThread<N> t(cut);
  float sum[N] = {}, products[N] = {};
  if (t.active) {
    float mean[N], scale[N], beta[N];
    load_floats(a.mean + t.channel, mean);
    load_floats(a.scale + t.channel, scale);
    load_floats(a.beta + t.channel, beta);
#pragma unroll 2
    for (int64_t row = t.row; row < t.end_row; row += t.step) {
      float centred[N], g[N];
      load_row<mask>(cut, tensors, select, row, t.channel, mean, scale, beta, centred, g);
      for (int i = 0; i < N; ++i) {
        sum[i] += g[i];
        products[i] += g[i] * centred[i];
      }
    }
  }
  bn_store_sums<N>(cut, sum, products, partial);
}

__global__ void merge_kernel(Params p, int64_t slices, const int32_t* select, const float* partial,
                             Gradients v, Coefficients a) {
  const int64_t j = int64_t{blockIdx.x} * (bn_threads / warp_size) + threadIdx.x / warp_size;
  if (j >= p.c) return;  // a whole warp
  double sum, products;
  bn_total(partial, slices, p.c, j, sum, products);
  if (threadIdx.x % warp_size != 0) return;
  const int64_t at = select ? select[j] : j;
  const double n = static_cast<double>(p.rows), rstd = v.rstd[j];
  v.dgamma[at] = static_cast<float>(products * rstd);
  v.dbeta[at] = static_cast<float>(sum);
  a.offset[j] = static_cast<float>(sum / n);
  a.slope[j] = static_cast<float>(products / n * rstd * rstd);
}

template <class T>
__global__ void zero_kernel(int64_t n, T* x) {
  const int64_t i = int64_t{blockIdx.x} * bn_threads + threadIdx.x;
  if (i < n) x[i] = T(0.f);
}

template <class T, int N, Mask mask, bool residual>
__global__ void apply_kernel(BnCut cut, Tensors<T> tensors, const int32_t* select, Coefficients a) {
  const BnThread<N> t(cut);
  if (!t.active) return;
  float mean[N], scale[N], beta[N], offset[N], slope[N];
  load_floats(a.mean + t.channel, mean);
  load_floats(a.scale + t.channel, scale);
  load_floats(a.beta + t.channel, beta);
  load_floats(a.offset + t.channel, offset);
  load_floats(a.slope + t.channel, slope);
#pragma unroll 2
  for (int64_t row = t.row; row < t.end_row; row += t.step) {
    float centred[N], g[N], dx[N];
    load_row<mask>(cut, tensors, select, row, t.channel, mean, scale, beta, centred, g);
    if constexpr (residual) store_floats(tensors.dresidual + row * cut.c + t.channel, g);
    for (int i = 0; i < N; ++i) dx[i] = scale[i] * ((g[i] - offset[i]) - centred[i] * slope[i]);
    if (select)
      for (int i = 0; i < N; ++i) tensors.dx[row * cut.c_in + select[t.channel + i]] = T(dx[i]);
    else
      store_floats(tensors.dx + row * cut.c_in + t.channel, dx);
  }
}

template <class T, int N, Mask mask>
void backward(const Params& p, const Tensors<T>& tensors, const int32_t* select, const Gradients& v) {
  const BnCut cut = bn_cut<N>(p);
  const int64_t each = ceil_div(p.c, 8) * 8;
  auto* base =
      static_cast<float*>(scratch(static_cast<size_t>(5 * each + cut.slices * 2 * p.c) * sizeof(float)));
  const Coefficients a{base, base + each, base + 2 * each, base + 3 * each, base + 4 * each};
  float* partial = base + 5 * each;
  launch({"batch_norm_prepare", blocks_for(p.c_in, bn_threads), bn_threads}, prepare_kernel, p, select, v, a);
  launch({"batch_norm_sums", bn_grid(cut), bn_threads, sizeof(BnSums<N>)}, sums_kernel<T, N, mask>, cut,
         tensors, select, a, partial);
  launch({"batch_norm_merge", blocks_for(p.c, bn_threads / warp_size), bn_threads}, merge_kernel, p,
         cut.slices, select, static_cast<const float*>(partial), v, a);
  if (select)
    launch({"batch_norm_zero", blocks_for(p.rows * p.c_in, bn_threads), bn_threads}, zero_kernel<T>,
           p.rows * p.c_in, tensors.dx);
  const auto run = [&]<bool residual>() {
    launch({"batch_norm_backward", bn_grid(cut), bn_threads}, apply_kernel<T, N, mask, residual>, cut,
           tensors, select, a);
  };
  tensors.dresidual ? run.template operator()<true>() : run.template operator()<false>();
}

}  // namespace

void batch_norm_backward(const Params& p, const void* x, const int32_t* select, const float* gamma,
                         const float* beta, const float* mean, const float* rstd, const void* y,
                         const void* dy, void* dx, void* dresidual, float* dgamma, float* dbeta) {
  const Gradients v{gamma, beta, mean, rstd, dgamma, dbeta};
  bn_by_width(p, select, [&]<class T, int N>() {
    const Tensors<T> t{static_cast<const T*>(x), static_cast<const T*>(y), static_cast<const T*>(dy),
                       static_cast<T*>(dx), static_cast<T*>(dresidual)};
    if (!p.relu)
      backward<T, N, Mask::none>(p, t, select, v);
    else if (y)
      backward<T, N, Mask::from_y>(p, t, select, v);
    else
      backward<T, N, Mask::from_x>(p, t, select, v);
  });
}

}  // namespace eb::kernels::EB_BACKEND
