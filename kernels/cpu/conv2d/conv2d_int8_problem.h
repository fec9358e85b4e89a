// Forward and backward-data of the integer path as one problem, and its cut into tasks.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cpu/conv2d/conv2d_int8_tile.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/range.h"

namespace eb::kernels::cpu {

// Pairs of channels of a block: as many bytes as block_c floats of conv2d_direct.
constexpr int64_t block_pairs = 64;
// Output pixels of a task: as many as weights from L2 or L3 need, and no more sums than this many bytes.
constexpr int64_t least_pixels = 16, bytes_of_sums = 192 << 10;

// One axis of the map. Output o reads input (o * out_stride + tap - pad) / in_stride where that is whole and
// on the map.
struct Axis {
  int64_t in, out, taps, out_stride, in_stride, pad;

  struct Reads {
    int64_t tap, input, count;  // the first of `count`; the next are in_stride taps and one input on
  };
  Reads reads(int64_t o) const {
    int64_t tap = std::max<int64_t>(0, pad - o * out_stride);
    tap += (in_stride - (o * out_stride + tap - pad) % in_stride) % in_stride;
    const int64_t input = (o * out_stride + tap - pad) / in_stride;
    if (tap >= taps || input >= in) return {0, 0, 0};
    return {tap, input, std::min((taps - 1 - tap) / in_stride + 1, in - input)};
  }
  Range inputs(Range o) const {  // a range that holds all inputs of outputs o
    const int64_t first = (o.begin * out_stride - pad) / in_stride,
                  last = ((o.end - 1) * out_stride + taps - 1 - pad) / in_stride;
    return {std::clamp<int64_t>(first, 0, in), std::clamp<int64_t>(last + 1, 0, in)};
  }
};

// The problem in the terms of a forward convolution, and its cut into tasks of some images and rows. c and k
// are those of one group.
struct IntegerProblem {
  DType dtype;
  int64_t n, groups, c, k;
  Axis h, w;
  bool transposed;

  int64_t taps() const { return h.taps * w.taps; }
  int64_t pairs() const { return ceil_div(c, 2); }
  int64_t blocks() const { return ceil_div(pairs(), block_pairs); }
  int64_t pairs(int64_t block) const { return std::min(block_pairs, pairs() - block * block_pairs); }
  int64_t panels() const { return ceil_div(k, tile_columns); }
  int64_t k_padded() const { return ceil_div(k, int_lanes) * int_lanes; }
  int64_t packed_pairs() const { return panels() * taps() * pairs() * tile_columns; }  // of a group's weights
  int64_t tiles() const { return ceil_div(least_pixels, h.out * w.out); }  // of six images, of a task
  int64_t images() const { return tiles() * tile_rows; }
  int64_t rows() const {
    const int64_t row = images() * w.out * k_padded() * static_cast<int64_t>(sizeof(int32_t));
    return std::clamp<int64_t>(bytes_of_sums / row, 1, h.out);
  }
  int64_t row_tasks() const { return ceil_div(h.out, rows()); }
  // A row of one image, an odd number of cache lines long: six images do not meet in one set of L1.
  int64_t row_pairs() const { return (w.in * std::min(pairs(), block_pairs) + 15) / 32 * 32 + 16; }
  int64_t tile_pairs() const {
    const int64_t rows_in = std::min(h.in, ((rows() - 1) * h.out_stride + h.taps - 1) / h.in_stride + 2);
    return rows_in * tile_rows * row_pairs();
  }
  int64_t sums() const { return images() * rows() * w.out * k_padded(); }
  size_t bytes_per_thread() const {
    return align_up((tiles() * tile_pairs() + sums()) * sizeof(int32_t) + k * sizeof(float));
  }
};

inline IntegerProblem integer_problem(const Conv2d::Params& p, Conv2d::Direction d) {
  if (d == Conv2d::Direction::forward)
    return {p.dtype,
            p.n,
            p.groups,
            p.c / p.groups,
            p.k / p.groups,
            {p.h, p.out_h(), p.r, p.stride_h, 1, p.pad_h},
            {p.w, p.out_w(), p.s, p.stride_w, 1, p.pad_w},
            false};
  return {p.dtype,
          p.n,
          p.groups,
          p.k / p.groups,
          p.c / p.groups,
          {p.out_h(), p.h, p.r, 1, p.stride_h, p.r - 1 - p.pad_h},
          {p.out_w(), p.w, p.s, 1, p.stride_w, p.s - 1 - p.pad_w},
          true};
}

}  // namespace eb::kernels::cpu
