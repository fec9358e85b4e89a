// Batch norm forward: sums shifted by the first row (so that the variance of a large mean survives fp32) or
// the moments that the convolution left, a merge in double with a warp a channel; the last pass is in
// batch_norm_apply.cu.
#include "kernels/cuda/batch_norm.cuh"

namespace eb::kernels::cuda {

namespace {

using Params = BatchNorm::Params;

constexpr int blocks = 4;  // resident on an SM at least: 64 registers, half of its threads

// Rows that a thread loads before it uses the first: 64 bytes of what it reads at 16 bytes a row, or eight
// rows of a single channel. To be measured.
template <int N>
constexpr int statistics_rows = N == 1 ? 8 : 4;

// Moments of a thread's rows. Sums are shifted by its first row, and means are told relative to the tensor's
// first row, so that a large mean swallows neither the variance nor the differences between threads.
template <class T, int N>
__device__ float thread_moments(const BnCut& cut, const BnThread<N>& t, const T* x, float (&mean)[N],
                                float (&m2)[N]) {
  float origin[N], shift[N], sum[N] = {}, squares[N] = {}, count = 0;
  if (!t.active || t.row >= t.end_row) return 0;
  load_floats(x + t.channel_in, origin);
  load_floats(x + t.row * cut.c_in + t.channel_in, shift);
  t.template for_rows<statistics_rows<N>>([&]<int R>(int64_t first) {
    Run<T, N> v[R];
    bn_load(x, first, t.step, cut.c_in, t.channel_in, v);
#pragma unroll
    for (int r = 0; r < R; ++r)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float d = v[r][i] - shift[i];
        sum[i] += d;
        squares[i] += d * d;
      }
    count += R;
  });
  for (int i = 0; i < N; ++i) {
    const auto m = Moments<float>::of_sums(count, sum[i], squares[i]);
    mean[i] = (shift[i] - origin[i]) + m.mean;
    m2[i] = m.m2;
  }
  return count;
}

template <int N>
struct ThreadMoments {
  float mean[bn_threads * N], m2[bn_threads * N], count[bn_threads];
};

// partial (slices, 2, c): mean and m2 of every slice.
template <class T, int N>
__global__ void __launch_bounds__(bn_threads, blocks)
    statistics_kernel(BnCut cut, const T* x, const int32_t* select, float* partial) {
  auto& s = shared<ThreadMoments<N>>();
  float mean[N] = {}, m2[N] = {};
  s.count[threadIdx.x] = thread_moments(cut, BnThread<N>(cut, select), x, mean, m2);
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

// Mean and m2 of runs of rows, values (count, 2, columns); the last run may be shorter.
struct Slices {
  const float* values;
  int64_t count, columns, rows, rows_per_slice;
  __device__ void merge_into(Moments<double>& m, int64_t slice, int64_t column) const {
    const int64_t left = rows - slice * rows_per_slice;
    m.merge(static_cast<double>(left < rows_per_slice ? left : rows_per_slice),
            values[slice * 2 * columns + column], values[(slice * 2 + 1) * columns + column]);
  }
};

// All slices of a column by one warp: each lane its own in order, then the lanes pairwise.
__device__ Moments<double> merge_slices(const Slices& slices, int64_t column) {
  Moments<double> m;
  for (int64_t s = threadIdx.x % warp_size; s < slices.count; s += warp_size) slices.merge_into(m, s, column);
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    const double count = shuffle_down(full_warp, m.count, offset),
                 mean = shuffle_down(full_warp, m.mean, offset), m2 = shuffle_down(full_warp, m.m2, offset);
    m.merge(count, mean, m2);  // only lane 0's is used
  }
  return m;
}

// A convolution leaves a slice for every row of its tiles, thousands for a large map, where one warp a column
// would take too long: first `run` of them become one. To be measured.
constexpr int64_t fold_least = 64, fold_most = 256;  // slices that become one; slices that are left
constexpr int fold_columns = 32, fold_rows = bn_threads / fold_columns;

struct FoldStorage {
  Moments<double> of[bn_threads];
};

__global__ void fold_kernel(Slices in, int64_t run, float* out) {
  auto& s = shared<FoldStorage>();
  const int64_t column = int64_t{blockIdx.x} * fold_columns + threadIdx.x % fold_columns;
  const int64_t first = blockIdx.y * run, end = first + run < in.count ? first + run : in.count;
  Moments<double> m;
  if (column < in.columns)
    for (int64_t i = first + threadIdx.x / fold_columns; i < end; i += fold_rows) in.merge_into(m, i, column);
  s.of[threadIdx.x] = m;
  sync_threads();
  if (threadIdx.x >= fold_columns || column >= in.columns) return;
  for (int row = 1; row < fold_rows; ++row) {
    const Moments<double>& other = s.of[row * fold_columns + threadIdx.x];
    m.merge(other.count, other.mean, other.m2);
  }
  out[blockIdx.y * 2 * in.columns + column] = static_cast<float>(m.mean);
  out[(blockIdx.y * 2 + 1) * in.columns + column] = static_cast<float>(m.m2);
}

// How many of `slices` become one.
int64_t fold_run(int64_t slices) {
  return slices <= fold_most ? 1 : std::max(fold_least, ceil_div(slices, fold_most));
}

int64_t samples_of(const Params& p, const uint32_t* largest) {
  return largest ? p.rows / p.sample_rows : 0;
}

struct Vectors {  // fp32, by channel; largest (samples) is cleared
  const float *gamma, *beta;
  float *mean, *rstd, *running_mean, *running_var;
  uint32_t* largest;
  int64_t samples;
};

// By all threads of a launch before the one that finds the maxima.
__device__ void clear_largest(const Vectors& v) {
  const int64_t step = int64_t{gridDim.x} * bn_threads;
#pragma unroll 1
  for (int64_t i = int64_t{blockIdx.x} * bn_threads + threadIdx.x; i < v.samples; i += step) v.largest[i] = 0;
}

// x: the slices hold channels of y, with means relative to x's first row. Null: channels of x, plain means.
template <class T>
__global__ void merge_kernel(Params p, Slices slices, const T* x, const int32_t* select, Vectors v,
                             BnAffine a) {
  clear_largest(v);
  const int64_t j = int64_t{blockIdx.x} * (bn_threads / warp_size) + threadIdx.x / warp_size;
  if (j >= p.c) return;  // a whole warp
  const int64_t at = select ? select[j] : j;
  const Moments<double> m = merge_slices(slices, x ? j : at);
  if (threadIdx.x % warp_size != 0) return;
  const double origin = x ? static_cast<float>(x[at]) : 0.f;
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

__global__ void infer_kernel(Params p, const int32_t* select, Vectors v, BnAffine a) {
  clear_largest(v);
  const int64_t j = int64_t{blockIdx.x} * bn_threads + threadIdx.x;
  if (j >= p.c) return;
  const int64_t at = select ? select[j] : j;
  a.mean[j] = v.running_mean[at];
  a.scale[j] = static_cast<float>(v.gamma[at] / sqrt(static_cast<double>(v.running_var[at]) + p.eps));
  a.beta[j] = v.beta[at];
}

// The workspace: the affine, then in training the partials, or the slices that fold_kernel leaves.
BnAffine affine_of(const Params& p, void* workspace) {
  const int64_t each = bn_vector(p.c);
  auto* base = static_cast<float*>(workspace);
  return {base, base + each, base + 2 * each};
}
float* partials_of(const Params& p, void* workspace) {
  return static_cast<float*>(workspace) + 3 * bn_vector(p.c);
}

size_t workspace_bytes(const Params& p, BatchNorm::Direction d) {
  const int64_t each = bn_vector(p.c);
  const auto bytes = [](int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); };
  if (d == BatchNorm::Direction::forward_infer) return bytes(3 * each);
  const int64_t partials = bn_partials(p, device_limits());
  if (d == BatchNorm::Direction::backward) return bytes(5 * each + partials);
  return bytes(3 * each + std::max(partials, std::min(fold_most, p.rows) * 2 * p.c_in));
}

template <class T>
void merge(const Params& p, const Slices& slices, const T* x, const int32_t* select, const Vectors& v,
           const BnAffine& a) {
  launch({"batch_norm_merge", blocks_for(p.c, bn_threads / warp_size), bn_threads}, merge_kernel<T>, p,
         slices, x, select, v, a);
}

// Statistics by reading x.
template <class T, int N>
void own_statistics(const Params& p, const T* x, const int32_t* select, const Vectors& v, const BnAffine& a,
                    float* partial) {
  const BnCut cut = bn_cut<N>(p, device_limits(), bn_summing_blocks);
  launch({"batch_norm_statistics", bn_grid(cut), bn_threads, sizeof(ThreadMoments<N>)},
         statistics_kernel<T, N>, cut, x, select, partial);
  merge<T>(p, {partial, cut.slices, p.c, p.rows, cut.rows_per_slice}, x, select, v, a);
}

// Statistics that the convolution before left.
void given_statistics(const Params& p, const BatchNorm::Moments& given, const int32_t* select,
                      const Vectors& v, const BnAffine& a, float* partial) {
  Slices slices{given.values, ceil_div(p.rows, given.rows_per_slice), p.c_in, p.rows, given.rows_per_slice};
  const int64_t run = fold_run(slices.count), left = ceil_div(slices.count, run);
  if (run > 1) {
    launch({"batch_norm_fold", dim3(blocks_for(p.c_in, fold_columns), static_cast<unsigned>(left)),
            bn_threads, sizeof(FoldStorage)},
           fold_kernel, slices, run, partial);
    slices.values = partial, slices.count = left, slices.rows_per_slice *= run;
  }
  merge<float>(p, slices, nullptr, select, v, a);
}

void forward_train(const Params& p, const BatchNorm::ForwardTrain& call) {
  const Vectors v{.gamma = call.gamma,
                  .beta = call.beta,
                  .mean = call.mean,
                  .rstd = call.rstd,
                  .running_mean = call.running_mean,
                  .running_var = call.running_var,
                  .largest = call.largest,
                  .samples = samples_of(p, call.largest)};
  const BnAffine a = affine_of(p, call.workspace);
  float* partial = partials_of(p, call.workspace);
  if (call.moments.values)
    given_statistics(p, call.moments, call.select, v, a, partial);
  else
    bn_by_width(p, call.select, [&]<class T, int N>() {
      own_statistics<T, N>(p, static_cast<const T*>(call.x), call.select, v, a, partial);
    });
  batch_norm_apply(p, a, call.x, call.select, call.residual, call.y, call.largest);
}

void forward_infer(const Params& p, const BatchNorm::ForwardInfer& call) {
  const BnAffine a = affine_of(p, call.workspace);
  const Vectors v{.gamma = call.gamma,
                  .beta = call.beta,
                  .mean = nullptr,
                  .rstd = nullptr,
                  .running_mean = const_cast<float*>(call.running_mean),
                  .running_var = const_cast<float*>(call.running_var),
                  .largest = call.largest,
                  .samples = samples_of(p, call.largest)};
  launch({"batch_norm_infer", blocks_for(p.c, bn_threads), bn_threads}, infer_kernel, p, call.select, v, a);
  batch_norm_apply(p, a, call.x, call.select, call.residual, call.y, call.largest);
}

}  // namespace

const BatchNorm batch_norm{.workspace_bytes = workspace_bytes,
                           .forward_train = forward_train,
                           .forward_infer = forward_infer,
                           .backward = batch_norm_backward};

}  // namespace eb::kernels::cuda
