// Means and variances that merge without cancellation, and those of a convolution's outputs on their way to
// memory, so that the batch norm behind it need not read them for its statistics.
#pragma once
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

// Count, mean and sum of squared deviations of a set of numbers; two sets merge without cancellation (Chan et
// al., 1983).
template <class Real>
struct Moments {
  Real count = 0, mean = 0, m2 = 0;
  __device__ static Moments of_sums(Real count, Real sum, Real squares) {
    if (count == 0) return {};
    const Real mean = sum / count, m2 = squares - sum * mean;
    return {count, mean, m2 > 0 ? m2 : m2 < 0 ? 0 : m2};  // NaN stays
  }
  __device__ void merge(Real other_count, Real other_mean, Real other_m2) {
    if (other_count == 0) return;
    const Real total = count + other_count, delta = other_mean - mean, share = other_count / total;
    mean += delta * share;
    m2 += other_m2 + delta * delta * count * share;
    count = total;
  }
};

// Mean and squared deviations of every column of the (m, n) tile at storage.out(), over the first `rows`
// rows; moments (2, stride) at the tile's first column. The block's first 2 n threads call it: eight lanes
// take two neighbouring columns each, the four groups of lanes two rows of eight each, which meets no bank
// twice in bf16. Sums are about the tile's first row, so that a large mean leaves the variance its digits.
template <int m, int n, class Storage>
__device__ void store_moments(Storage& storage, int64_t rows, int64_t columns, int64_t stride,
                              float* moments) {
  static_assert(m % 8 == 0 && n % 16 == 0);
  const int lane_id = threadIdx.x % warp_size, first_row = lane_id / 8 * 2;
  const int column = (threadIdx.x / warp_size * 8 + lane_id % 8) * 2;
  float shift[2], sum[2] = {}, squares[2] = {}, count = 0;
  load_floats(storage.out(0, column), shift);
#pragma unroll 4
  for (int i = 0; i < m / 4; ++i) {
    const int row = first_row + i / 2 * 8 + i % 2;
    float v[2];
    load_floats(storage.out(row, column), v);
    const bool counts = row < rows;
    for (int c = 0; c < 2; ++c) {
      const float d = counts ? v[c] - shift[c] : 0.f;
      sum[c] += d;
      squares[c] += d * d;
    }
    count += counts ? 1.f : 0.f;
  }
  for (int c = 0; c < 2; ++c) {
    Moments<float> of = Moments<float>::of_sums(count, sum[c], squares[c]);
    for (int offset = 8; offset < warp_size; offset *= 2) {
      const float other_count = shuffle_down(full_warp, of.count, offset),
                  mean = shuffle_down(full_warp, of.mean, offset),
                  m2 = shuffle_down(full_warp, of.m2, offset);
      of.merge(other_count, mean, m2);  // only the first eight lanes' are used
    }
    if (lane_id < 8 && column + c < columns) {
      moments[column + c] = shift[c] + of.mean;
      moments[stride + column + c] = of.m2;
    }
  }
}

}  // namespace eb::kernels::cuda
