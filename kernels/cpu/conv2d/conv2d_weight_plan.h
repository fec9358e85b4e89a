// How the weight gradient of one group is cut into parts, blocks and tiles, and the packing of a block.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cpu/conv2d/conv2d_weight_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/range.h"

namespace eb::kernels::cpu {

// Rewritten problem: 1x1 convolutions become n maps of one position; with few channels (`unfold`) the taps
// become channels, as in im2col, and one tap is left.
struct WeightPlan {
  Conv2d::Params p;       // as given
  int64_t n, h, w, c, k;  // of one group
  int64_t r, s, stride_h, stride_w, pad_h, pad_w, out_h, out_w;
  bool unfold;
  bool x_in_place, dy_in_place;  // read where they lie instead of packed
  int64_t images, rows;          // of a block: all rows of some images, or some rows of one image
  int64_t parts;                 // of the batch, summed apart

  int64_t taps() const { return r * s; }
  int64_t c_padded() const { return ceil_div(c, lanes) * lanes; }
  int64_t c_panels() const { return ceil_div(c, tile_c); }
  int64_t k_panels() const { return ceil_div(k, tile_k); }
  int64_t block_rows_of_x() const { return std::min(h, (rows - 1) * stride_h + r); }
  int64_t unfolded_step() const { return c_panels() * tile_c; }  // from position to position, all panels
  // Floats of one packed panel and of a whole block. x (panel, row, column, image, tile_c), dy alike with
  // tile_k.
  int64_t x_panel() const { return block_rows_of_x() * w * images * tile_c; }
  int64_t dy_panel() const { return rows * out_w * images * tile_k; }
  int64_t x_floats() const { return x_in_place ? 0 : c_panels() * x_panel(); }
  int64_t dy_floats() const { return dy_in_place ? 0 : k_panels() * dy_panel(); }
  int64_t sums() const { return k * taps() * c_padded(); }  // of a part
  bool sums_are_dw() const { return parts == 1 && c == c_padded() && p.groups == 1; }
};
WeightPlan weight_plan(const Conv2d::Params&);

// Outputs o in [out) whose input o * stride + tap - pad lies in [0, size).
inline Range reached(Range out, int64_t stride, int64_t tap, int64_t pad, int64_t size) {
  const int64_t first = std::max<int64_t>(0, ceil_div(pad - tap, stride));
  const int64_t last = size + pad - tap > 0 ? (size - 1 + pad - tap) / stride : -1;
  return {std::max(out.begin, pad > tap ? first : 0), std::min(out.end, last + 1)};
}

// Images n, output rows p, and the rows h of x that they read.
struct WeightBlock {
  Range n, p, h;
};

// Channel panels [panels) of group g, as floats. x and dy are the tensors themselves.
// Unfolded x is (position, unfolded_step) with all panels.
void pack_x(const WeightPlan&, int64_t g, const WeightBlock&, Range panels, const void* x, float* packed);
void pack_dy(const WeightPlan&, int64_t g, const WeightBlock&, const void* dy, float* packed);

// dw (k, taps, c) <- the parts in order, of a WeightPlan or the int8 kernels' plan.
template <class Plan>
void add_parts(const Plan& a, const float* sums, float* dw) {
  parallel_ranges(a.k * a.taps(), a.c * a.parts, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = dw + row * a.c;
      std::copy_n(sums + row * a.c_padded(), a.c, to);
      for (int64_t part = 1; part < a.parts; ++part) {
        const float* from = sums + part * a.sums() + row * a.c_padded();
        for (int64_t c = 0; c < a.c; ++c) to[c] += from[c];
      }
    }
  });
}

}  // namespace eb::kernels::cpu
