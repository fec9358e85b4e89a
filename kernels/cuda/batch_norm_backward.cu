// Batch norm backward: g is dy under relu's mask (from y, or recomputed from x, which saves reading y); one
// pass sums g and g (x - mean), a warp a channel turns the sums into coefficients, one pass writes dx = scale
// * (g - mean(g) - (x - mean) * slope). (Ioffe and Szegedy 2015, section 3)
#include "kernels/cuda/batch_norm.cuh"

namespace eb::kernels::cuda {

namespace {

using Params = BatchNorm::Params;
enum class Mask { none, from_y, from_x };

// Rows that a thread loads before it uses the first. To be measured.
template <int N>
constexpr int rows_at_once = N == 1 ? 8 : 2;

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

// What the mask and x - mean need, of N channels.
template <int N>
struct Channels {
  float mean[N], scale[N], beta[N];
  __device__ Channels(const Coefficients& a, int64_t channel) {
    load_floats(a.mean + channel, mean);
    load_floats(a.scale + channel, scale);
    load_floats(a.beta + channel, beta);
  }
};

// R rows of what is read, all of it under way before any is used.
template <class T, int N, int R, Mask mask>
struct Rows {
  Run<T, N> x[R], dy[R], y[mask == Mask::from_y ? R : 1];
  __device__ Rows(const BnCut& cut, const BnThread<N>& at, const Tensors<T>& t, int64_t first) {
    bn_load(t.x, first, at.step, cut.c_in, at.channel_in, x);
    bn_load(t.dy, first, at.step, cut.c, at.channel, dy);
    if constexpr (mask == Mask::from_y) bn_load(t.y, first, at.step, cut.c, at.channel, y);
  }
  // Row r's x - mean and masked gradient in channel i.
  __device__ void get(const Channels<N>& a, int r, int i, float& centred, float& g) const {
    centred = x[r][i] - a.mean[i];
    g = dy[r][i];
    if constexpr (mask == Mask::from_y) g = y[r][i] > 0.f ? g : 0.f;
    if constexpr (mask == Mask::from_x) g = centred * a.scale[i] + a.beta[i] > 0.f ? g : 0.f;
  }
};

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
  const BnThread<N> t(cut, select);
  float sum[N] = {}, products[N] = {};
  if (t.active) {
    const Channels<N> channels(a, t.channel);
    t.template for_rows<rows_at_once<N>>([&]<int R>(int64_t first) {
      const Rows<T, N, R, mask> rows(cut, t, tensors, first);
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int i = 0; i < N; ++i) {
          float centred, g;
          rows.get(channels, r, i, centred, g);
          sum[i] += g;
          products[i] += g * centred;
        }
    });
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

// n elements of dx, 16 bytes a thread, then the last ones singly.
template <class T>
__global__ void zero_kernel(int64_t n, T* x) {
  constexpr int N = widest<T>;
  const int64_t i = int64_t{blockIdx.x} * bn_threads + threadIdx.x, rest = n / N * N + i;
  if (i < n / N) store_floats<T, N>(x + i * N, {});
  if (rest < n) x[rest] = T(0.f);
}

template <class T, int N, Mask mask, bool residual>
__global__ void apply_kernel(BnCut cut, Tensors<T> tensors, const int32_t* select, Coefficients a) {
  const BnThread<N> t(cut, select);
  if (!t.active) return;
  const Channels<N> channels(a, t.channel);
  float offset[N], slope[N];
  load_floats(a.offset + t.channel, offset);
  load_floats(a.slope + t.channel, slope);
  t.template for_rows<rows_at_once<N>>([&]<int R>(int64_t first) {
    const Rows<T, N, R, mask> rows(cut, t, tensors, first);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int64_t row = first + r * t.step;
      float g[N], dx[N];
#pragma unroll
      for (int i = 0; i < N; ++i) {
        float centred;
        rows.get(channels, r, i, centred, g[i]);
        dx[i] = channels.scale[i] * ((g[i] - offset[i]) - centred * slope[i]);
      }
      if constexpr (residual) store_floats(tensors.dresidual + row * cut.c + t.channel, g);
      store_floats(tensors.dx + row * cut.c_in + t.channel_in, dx);
    }
  });
}

template <class T, int N, Mask mask>
void backward(const Params& p, const Tensors<T>& tensors, const int32_t* select, const Gradients& v,
              float* workspace) {
  const BnCut cut = bn_cut<N>(p, device_limits(), bn_summing_blocks),
              even = bn_cut<N>(p, device_limits(), bn_most_blocks);
  const int64_t each = bn_vector(p.c);
  const Coefficients a{workspace, workspace + each, workspace + 2 * each, workspace + 3 * each,
                       workspace + 4 * each};
  float* partial = workspace + 5 * each;
  launch({"batch_norm_prepare", blocks_for(p.c_in, bn_threads), bn_threads}, prepare_kernel, p, select, v, a);
  launch({"batch_norm_sums", bn_grid(cut), bn_threads, sizeof(BnSums<N>)}, sums_kernel<T, N, mask>, cut,
         tensors, select, a, partial);
  launch({"batch_norm_merge", blocks_for(p.c, bn_threads / warp_size), bn_threads}, merge_kernel, p,
         cut.slices, select, static_cast<const float*>(partial), v, a);
  if (select)
    launch({"batch_norm_zero", blocks_for(ceil_div(p.rows * p.c_in, widest<T>) + widest<T>, bn_threads),
            bn_threads},
           zero_kernel<T>, p.rows * p.c_in, tensors.dx);
  const auto run = [&]<bool residual>() {
    launch({"batch_norm_backward", bn_grid(even), bn_threads}, apply_kernel<T, N, mask, residual>, even,
           tensors, select, a);
  };
  tensors.dresidual ? run.template operator()<true>() : run.template operator()<false>();
}

}  // namespace

void batch_norm_backward(const Params& p, const BatchNorm::Backward& call) {
  const Gradients v{.gamma = call.gamma,
                    .beta = call.beta,
                    .mean = call.mean,
                    .rstd = call.rstd,
                    .dgamma = call.dgamma,
                    .dbeta = call.dbeta};
  bn_by_width(p, call.select, [&]<class T, int N>() {
    const Tensors<T> t{.x = static_cast<const T*>(call.x),
                       .y = static_cast<const T*>(call.y),
                       .dy = static_cast<const T*>(call.dy),
                       .dx = static_cast<T*>(call.dx),
                       .dresidual = static_cast<T*>(call.dresidual)};
    auto* workspace = static_cast<float*>(call.workspace);
    if (!p.relu)
      backward<T, N, Mask::none>(p, t, call.select, v, workspace);
    else if (call.y)
      backward<T, N, Mask::from_y>(p, t, call.select, v, workspace);
    else
      backward<T, N, Mask::from_x>(p, t, call.select, v, workspace);
  });
}

}  // namespace eb::kernels::cuda
