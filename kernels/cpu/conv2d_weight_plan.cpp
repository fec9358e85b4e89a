#include "kernels/cpu/conv2d_weight_plan.h"

#include "kernels/cpu/by_dtype.h"

namespace eb::kernels::cpu {
namespace {

// Positions of a block: a tile's x is 16 KiB and its dy 6 KiB, both in L1 for all taps.
constexpr int64_t block_positions = 256;
// Batch parts: enough for 16 threads, unless their sums (this many bytes in all) cost more than they gain.
constexpr int64_t most_parts = 16, bytes_of_parts = 4 << 20;
// Up to this many channels a block lies in L2 as it is and packing costs more than it gains.
constexpr int64_t in_place_channels = 64;
constexpr int64_t most_unfolded_taps = 64;

void flatten_pointwise(WeightPlan& a) {
  if (a.r * a.s * a.stride_h * a.stride_w != 1 || a.pad_h + a.pad_w != 0) return;
  a.n *= a.h * a.w;
  a.h = a.w = a.out_h = a.out_w = 1;
}

void unfold_taps(WeightPlan& a) {
  a.unfold = a.c < lanes && a.taps() > 1 && a.taps() <= most_unfolded_taps;
  if (!a.unfold) return;
  a.c *= a.taps();
  a.h = a.out_h, a.w = a.out_w;
  a.r = a.s = a.stride_h = a.stride_w = 1;
  a.pad_h = a.pad_w = 0;
}

void choose_block(WeightPlan& a) {
  const int64_t map = a.out_h * a.out_w;
  a.images = a.stride_w > 1 ? 1 : std::clamp<int64_t>(block_positions / map, 1, a.n);
  a.rows = a.images > 1 ? a.out_h : std::clamp<int64_t>(block_positions / a.out_w, 1, a.out_h);
  const bool adjacent = a.p.dtype == DType::f32 && (a.images == 1 || a.h * a.w == 1);
  a.dy_in_place = adjacent && a.k <= in_place_channels;
  a.x_in_place = adjacent && !a.unfold && a.c % lanes == 0 && a.c <= in_place_channels;
}

struct Source {
  int64_t height, width, stride;  // of the map; stride between pixels
  int64_t channels;               // that the panel still has; the rest is zero
};

// to (row, column, image, panel) <- x (N, H, W, channels)
template <int panel, class T>
void pack_panel(Source from, const T* x, Range n, Range rows, float* to) {
  const int64_t valid = std::min<int64_t>(panel, from.channels);
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t column = 0; column < from.width; ++column)
      for (int64_t i = n.begin; i < n.end; ++i, to += panel) {
        const T* pixel = x + ((i * from.height + row) * from.width + column) * from.stride;
        if (valid == panel) {
          for (int j = 0; j < panel; ++j) to[j] = pixel[j];
        } else {
          for (int j = 0; j < panel; ++j) to[j] = j < valid ? static_cast<float>(pixel[j]) : 0.f;
        }
      }
}

// All taps of output position (i, p, q), channels innermost; zero where they fall on the padding.
template <class T>
void unfold(const Conv2d::Params& a, const T* x, int64_t i, int64_t p, int64_t q, float* taps) {
  const int64_t channels = a.c / a.groups;
  for (int64_t r = 0; r < a.r; ++r)
    for (int64_t s = 0; s < a.s; ++s) {
      const int64_t h = p * a.stride_h + r - a.pad_h, w = q * a.stride_w + s - a.pad_w;
      const bool inside = h >= 0 && h < a.h && w >= 0 && w < a.w;
      const T* pixel = x + ((i * a.h + h) * a.w + w) * a.c;
      for (int64_t c = 0; c < channels; ++c) *taps++ = inside ? static_cast<float>(pixel[c]) : 0.f;
    }
}

template <class T>
void pack_unfolded(const WeightPlan& a, const WeightBlock& b, Range panels, const T* x, float* to) {
  float taps[most_unfolded_taps * lanes + tile_c] = {};  // zeros behind the last channel
  for (int64_t p = b.p.begin; p < b.p.end; ++p)
    for (int64_t q = 0; q < a.out_w; ++q)
      for (int64_t i = b.n.begin; i < b.n.end; ++i, to += tile_c) {
        unfold(a.p, x, i, p, q, taps);
        for (int64_t j = 0; j < panels.size(); ++j)
          std::copy_n(taps + (panels.begin + j) * tile_c, tile_c, to + j * a.x_panel());
      }
}

}  // namespace

WeightPlan weight_plan(const Conv2d::Params& p) {
  WeightPlan a{.p = p, .n = p.n, .h = p.h, .w = p.w, .c = p.c / p.groups, .k = p.k / p.groups};
  a.r = p.r, a.s = p.s;
  a.stride_h = p.stride_h, a.stride_w = p.stride_w;
  a.pad_h = p.pad_h, a.pad_w = p.pad_w;
  a.out_h = p.out_h(), a.out_w = p.out_w();
  flatten_pointwise(a);
  unfold_taps(a);
  choose_block(a);
  const int64_t affordable = bytes_of_parts / (a.sums() * static_cast<int64_t>(sizeof(float)));
  a.parts = std::clamp<int64_t>(affordable, 1, std::min(most_parts, ceil_div(a.n, a.images)));
  return a;
}

void pack_x(const WeightPlan& a, int64_t g, const WeightBlock& b, Range panels, const void* x,
            float* packed) {
  const int64_t first = g * (a.p.c / a.p.groups);
  by_dtype(a.p.dtype, [&]<class T>() {
    const T* from = static_cast<const T*>(x) + first;
    if (a.unfold) return pack_unfolded(a, b, panels, from, packed);
    for (int64_t panel = panels.begin; panel < panels.end; ++panel, packed += a.x_panel()) {
      const int64_t done = panel * tile_c;
      pack_panel<tile_c>({a.h, a.w, a.p.c, a.c - done}, from + done, b.n, b.h, packed);
    }
  });
}

void pack_dy(const WeightPlan& a, int64_t g, const WeightBlock& b, const void* dy, float* packed) {
  by_dtype(a.p.dtype, [&]<class T>() {
    const T* from = static_cast<const T*>(dy) + g * a.k;
    for (int64_t panel = 0; panel < a.k_panels(); ++panel, packed += a.dy_panel()) {
      const int64_t done = panel * tile_k;
      pack_panel<tile_k>({a.out_h, a.out_w, a.p.k, a.k - done}, from + done, b.n, b.p, packed);
    }
  });
}

}  // namespace eb::kernels::cpu
