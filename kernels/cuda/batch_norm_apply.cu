// Batch norm's last pass forward: normalises, adds the residual, applies relu, and finds the largest
// magnitude of every sample where a quantiser wants it, which then need not read y twice. Rows do not meet
// here, so their cut into slices may differ from the statistics'.
#include "kernels/cuda/batch_norm.cuh"
#include "kernels/cuda/quantize.cuh"

namespace eb::kernels::cuda {

namespace {

using Params = BatchNorm::Params;

constexpr int blocks = 4;  // resident on an SM at least: 64 registers, half of its threads

// Rows that a thread loads before it uses the first. To be measured.
template <int N, bool residual>
constexpr int rows_at_once = N == 1 ? 8 : 4 / (residual ? 2 : 1);

// Every sample cut into slices of its own, no longer than those of `cut`, so that a block has one maximum.
struct SampleCut {
  int64_t rows;     // of a sample
  unsigned slices;  // of a sample
};

SampleCut sample_cut(const Params& p, BnCut& cut) {
  cut.rows_per_slice = ceil_div(p.sample_rows, ceil_div(p.sample_rows, cut.rows_per_slice));
  return {p.sample_rows, blocks_for(p.sample_rows, cut.rows_per_slice)};
}

// One thread's rows. If find: returns the bits of the largest magnitude, before it is rounded to T.
template <class T, int N, bool relu, bool residual, bool find>
__device__ uint32_t apply_thread(const BnCut& cut, const BnThread<N>& t, const BnAffine& a, const T* x,
                                 const T* add, T* y) {
  uint32_t most = 0;
  float mean[N], scale[N], beta[N];
  load_floats(a.mean + t.channel, mean);
  load_floats(a.scale + t.channel, scale);
  load_floats(a.beta + t.channel, beta);
  t.template for_rows<rows_at_once<N, residual>>([&]<int R>(int64_t first) {
    Run<T, N> v[R];
    [[maybe_unused]] Run<T, N> other[residual ? R : 1];
    bn_load(x, first, t.step, cut.c_in, t.channel_in, v);
    if constexpr (residual) bn_load(add, first, t.step, cut.c, t.channel, other);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      float out[N];
#pragma unroll
      for (int i = 0; i < N; ++i) {
        out[i] = (v[r][i] - mean[i]) * scale[i] + beta[i];
        if constexpr (residual) out[i] += other[r][i];
        if constexpr (relu) out[i] = out[i] < 0.f ? 0.f : out[i];
        if constexpr (find) most = larger(most, bits_of(out[i]) & 0x7fffffffu);
      }
      store_floats(y + (first + r * t.step) * cut.c + t.channel, out);
    }
  });
  return most;
}

template <class T, int N, bool relu, bool residual>
__global__ void __launch_bounds__(bn_threads, blocks)
    apply_kernel(BnCut cut, BnAffine a, const T* x, const int32_t* select, const T* add, T* y) {
  const BnThread<N> t(cut, select);
  if (!t.active) return;
  apply_thread<T, N, relu, residual, false>(cut, t, a, x, add, y);
}

// The same by slices of one sample each (SampleCut), for its largest magnitude: one atomic a warp.
template <class T, int N, bool relu, bool residual>
__global__ void __launch_bounds__(bn_threads, blocks)
    apply_largest_kernel(BnCut cut, SampleCut s, BnAffine a, const T* x, const int32_t* select, const T* add,
                         T* y, uint32_t* largest) {
  const unsigned sample = blockIdx.x / s.slices, slice = blockIdx.x % s.slices;
  const int64_t first = sample * s.rows + slice * cut.rows_per_slice;
  const BnThread<N> t(cut, select, blockIdx.y, first, first + cut.rows_per_slice, (sample + 1) * s.rows);
  uint32_t most = t.active ? apply_thread<T, N, relu, residual, true>(cut, t, a, x, add, y) : 0;
  most = warp_largest(most);
  // Rounding keeps the order, so the largest rounded is the largest of the rounded.
  if (threadIdx.x % warp_size == 0)
    atomic_max(largest + sample, bits_of(static_cast<float>(T(float_of(most)))));
}

template <class T, int N>
void apply(const Params& p, const BnAffine& a, const void* x, const int32_t* select, const void* residual,
           void* y, uint32_t* largest) {
  BnCut cut = bn_cut<N>(p, device_limits(), bn_most_blocks);
  const auto *from = static_cast<const T*>(x), *other = static_cast<const T*>(residual);
  auto* to = static_cast<T*>(y);
  const auto run = [&]<bool relu, bool add>() {
    if (!largest)
      return launch({"batch_norm_apply", bn_grid(cut), bn_threads}, apply_kernel<T, N, relu, add>, cut, a,
                    from, select, other, to);
    const SampleCut s = sample_cut(p, cut);
    const dim3 grid(static_cast<unsigned>(p.rows / s.rows * s.slices), static_cast<unsigned>(cut.tiles));
    launch({"batch_norm_apply_largest", grid, bn_threads}, apply_largest_kernel<T, N, relu, add>, cut, s, a,
           from, select, other, to, largest);
  };
  if (residual)
    p.relu ? run.template operator()<true, true>() : run.template operator()<false, true>();
  else
    p.relu ? run.template operator()<true, false>() : run.template operator()<false, false>();
}

}  // namespace

void batch_norm_apply(const Params& p, const BnAffine& a, const void* x, const int32_t* select,
                      const void* residual, void* y, uint32_t* largest) {
  bn_by_width(p, select, [&]<class T, int N>() { apply<T, N>(p, a, x, select, residual, y, largest); });
}

}  // namespace eb::kernels::cuda
