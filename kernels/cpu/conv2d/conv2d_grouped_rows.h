// The inner loop of depthwise and grouped convolutions: one row of outputs, a tile of columns at a time.
#pragma once
#include <cstdint>

namespace eb::kernels::cpu {

struct GroupedRow {
  const float* in;  // the first tap of the first output
  int64_t in_row, in_plane, in_step;
  const float* w;      // (vector, row, plane, tap, lanes)
  int64_t w_vector;    // floats from vector to vector
  const float* start;  // (vectors, lanes): what the sums start from
  float* out;          // (columns, vectors, lanes)
  int64_t out_step;
  int64_t columns, vectors, rows, planes, taps, stride;
  int64_t group_vectors;  // of a group, where inputs are single numbers; 0: they are vectors
};
void convolve_row(const GroupedRow&);

// dw of `vectors` vectors of output channels, one plane and `rows` kernel rows of `taps` taps, from some rows
// of positions: sums (row, tap, lanes) += dy (position, lanes) x (position at that tap, lanes).
struct GroupedTaps {
  const float* x;
  int64_t x_row, x_step;        // from output to output
  int64_t x_kernel_row, x_tap;  // from tap to tap
  const float* dy;
  int64_t dy_row, dy_step;
  int64_t rows, columns;  // of positions
  int64_t kernel_rows, taps;
  bool single;  // inputs are single numbers
  float* sums;
  int64_t sums_row;  // floats from kernel row to kernel row
};
void accumulate_taps(const GroupedTaps&);

}  // namespace eb::kernels::cpu
