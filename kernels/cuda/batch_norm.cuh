// What the batch norm kernels share: how a (rows, channels) tensor is cut into blocks. A thread keeps N
// channels and walks down rows; a block's threads are `across` neighbours by `down` rows, and its rows are
// one slice. All numbers depend on the shape and the card's limits alone, and so do the bits of the sums.
#pragma once
#include <algorithm>

#include "kernels/batch_norm.h"
#include "kernels/cuda/moments.cuh"
#include "kernels/cuda/policy/device_limits.h"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

inline constexpr int bn_threads = 256;
inline constexpr int64_t bn_most_blocks = 8;  // for every SM, of passes that merge nothing
// Of passes that sum: as many as an SM holds, so that one wave of long slices pays the merge at their end
// once. The merge of a block is 32 divisions one after the other by a quarter of its threads. To be measured.
inline constexpr int64_t bn_summing_blocks = 4;
inline constexpr int64_t bn_rows_per_thread = 8;  // at least, so that sums outweigh their merging

struct BnCut {
  int64_t rows, c_in, c;
  int across, down;  // across * down = bn_threads
  int64_t rows_per_slice, slices, tiles;
};

// blocks: for every SM, at most.
template <int N>
BnCut bn_cut(const BatchNorm::Params& p, const DeviceLimits& limits, int64_t blocks) {
  BnCut cut{p.rows, p.c_in, p.c};
  cut.across = 1;
  while (cut.across < warp_size && cut.across * N < p.c) cut.across *= 2;
  cut.down = bn_threads / cut.across;
  cut.tiles = ceil_div(p.c, int64_t{cut.across} * N);
  int64_t slices = ceil_div(p.rows, cut.down * bn_rows_per_thread);
  const int64_t most = blocks * limits.processors / cut.tiles;  // one more would be a wave of its own
  slices = std::clamp(slices, int64_t{1}, std::max<int64_t>(most, 1));
  cut.rows_per_slice = ceil_div(p.rows, slices);
  cut.slices = ceil_div(p.rows, cut.rows_per_slice);
  return cut;
}

// Of the workspace: a vector of c floats, so that the next is aligned to 32 bytes, and the partials
// (slices, 2, c) of whichever width a call takes.
inline int64_t bn_vector(int64_t c) {
  return ceil_div(c, 8) * 8;
}
inline int64_t bn_partials(const BatchNorm::Params& p, const DeviceLimits& limits) {
  int64_t slices = bn_cut<1>(p, limits, bn_summing_blocks).slices;
  by_dtype(p.dtype, [&]<class T>() {
    slices = std::max(slices, bn_cut<widest<T>>(p, limits, bn_summing_blocks).slices);
  });
  return slices * 2 * p.c;
}

inline dim3 bn_grid(const BnCut& cut) {
  return dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(cut.slices));
}

// This thread's place. A list of channels comes with N = 1 only, and is read here, once.
template <int N>
struct BnThread {
  int64_t channel, channel_in, row, end_row;  // first of N channels of y, of x; rows row, row + down, ...
  int step;
  bool active;
  __device__ BnThread(const BnCut& cut, const int32_t* select)
      : BnThread(cut, select, blockIdx.x, blockIdx.y * cut.rows_per_slice,
                 (blockIdx.y + 1) * cut.rows_per_slice, cut.rows) {}
  // The slice of rows first to end - 1, which `last` may cut short.
  __device__ BnThread(const BnCut& cut, const int32_t* select, int64_t tile, int64_t first, int64_t end,
                      int64_t last) {
    channel = (tile * cut.across + threadIdx.x % cut.across) * N;
    row = first + threadIdx.x / cut.across;
    end_row = end < last ? end : last;
    step = cut.down;
    active = channel < cut.c;
    channel_in = channel;
    if constexpr (N == 1)
      if (select && active) channel_in = select[channel];
  }
  // f.operator()<rows>(first): its rows in order, R at a time and the last ones singly.
  template <int R, class F>
  __device__ void for_rows(F&& f) const {
    int64_t at = row;
    for (; at + (R - 1) * step < end_row; at += R * step) f.template operator()<R>(at);
#pragma unroll 1
    for (; at < end_row; at += step) f.template operator()<1>(at);
  }
};

// Rows `first`, first + step, ... of a tensor of c channels, from `channel` on.
template <class T, int N, int R>
__device__ void bn_load(const T* x, int64_t first, int step, int64_t c, int64_t channel, Run<T, N> (&v)[R]) {
#pragma unroll
  for (int i = 0; i < R; ++i) v[i].load(x + (first + i * step) * c + channel);
}

// Two sums of N channels, merged over the block's rows in order; partial (slices, 2, c).
template <int N>
struct BnSums {
  float values[2][bn_threads * N];
};

template <int N>
__device__ void bn_store_sums(const BnCut& cut, const float (&first)[N], const float (&second)[N],
                              float* partial) {
  auto& s = shared<BnSums<N>>();
  for (int i = 0; i < N; ++i) {
    s.values[0][threadIdx.x * N + i] = first[i];
    s.values[1][threadIdx.x * N + i] = second[i];
  }
  sync_threads();
  const int width = cut.across * N;
  for (int j = threadIdx.x; j < 2 * width; j += bn_threads) {
    const int which = j / width, column = j % width;
    const int64_t channel = int64_t{blockIdx.x} * width + column;
    if (channel >= cut.c) continue;
    float sum = 0;
    for (int row = 0; row < cut.down; ++row) sum += s.values[which][row * width + column];
    partial[(blockIdx.y * 2 + which) * cut.c + channel] = sum;
  }
}

// The slices' sums of a channel by one warp, in double; every lane gets them.
__device__ inline void bn_total(const float* partial, int64_t slices, int64_t c, int64_t channel,
                                double& first, double& second) {
  first = second = 0;
  for (int64_t s = threadIdx.x % warp_size; s < slices; s += warp_size) {
    first += partial[(s * 2) * c + channel];
    second += partial[(s * 2 + 1) * c + channel];
  }
  first = warp_sum(first);
  second = warp_sum(second);
}

// f.operator()<T, N>(): N channels a thread, 16 bytes where the counts allow and no list is in the way.
template <class F>
void bn_by_width(const BatchNorm::Params& p, const int32_t* select, F&& f) {
  by_dtype(p.dtype, [&]<class T>() {
    !select&& p.c % widest<T> == 0 ? f.template operator()<T, widest<T>>() : f.template operator()<T, 1>();
  });
}

// y = (x - mean) * scale + beta, by channel of y.
struct BnAffine {
  float *mean, *scale, *beta;
};

void batch_norm_apply(const BatchNorm::Params&, const BnAffine&, const void* x, const int32_t* select,
                      const void* residual, void* y, uint32_t* largest);
void batch_norm_backward(const BatchNorm::Params&, const BatchNorm::Backward&);

}  // namespace eb::kernels::cuda
