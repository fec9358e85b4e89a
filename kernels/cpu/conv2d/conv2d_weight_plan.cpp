#include "kernels/cpu/conv2d/conv2d_weight_plan.h"

#include "kernels/cpu/by_dtype.h"

namespace eb::kernels::cpu {
namespace {

// Positions of a block: what a tile reads for all its taps (x 32 KiB, dy 12 KiB) streams from L2. 128, 256
// and 512 positions: 92, 97 and 106 GFLOP/s a core for 256x256 h8.
constexpr int64_t block_positions = 512;
// Without taps every operand is read once per tile; a block should stay in L1.
constexpr int64_t pointwise_positions = 128;
// Shortest run of positions if images can lengthen it: 32 -> 64 gains 5 % (64x64 h32) to 7 % (128x128 h16).
constexpr int64_t least_run = 64;
// Batch parts: enough for 16 threads, unless their sums (this many bytes in all) cost more than they gain.
constexpr int64_t most_parts = 16, bytes_of_parts = 4 << 20;
// Up to this many channels packing costs more than it gains: 16x16 h32 64 -> 83 GFLOP/s a core; 64x64 h32 80
// -> 77.
constexpr int64_t in_place_channels = 32;

void flatten_pointwise(WeightPlan& a) {
  if (a.r * a.s * a.stride_h * a.stride_w != 1 || a.pad_h + a.pad_w != 0) return;
  a.n *= a.h * a.w;
  a.h = a.w = a.out_h = a.out_w = 1;
}

void unfold_taps(WeightPlan& a) {
  const bool strided_pixel = a.taps() == 1 && a.stride_h * a.stride_w > 1;
  a.unfold = strided_pixel || (a.c < lanes && a.taps() > 1);
  if (!a.unfold) return;
  a.c *= a.taps();
  a.h = a.out_h, a.w = a.out_w;
  a.r = a.s = a.stride_h = a.stride_w = 1;
  a.pad_h = a.pad_w = 0;
}

void choose_block(WeightPlan& a) {
  const int64_t map = a.out_h * a.out_w;
  const bool pointwise = map == 1 && a.taps() == 1;
  const int64_t block = pointwise ? pointwise_positions : block_positions;
  const bool narrow = a.unfold || (a.c <= in_place_channels && a.k <= in_place_channels && a.c % lanes == 0);
  const int64_t wanted = std::max(block / map, least_run / a.out_w);
  a.images = a.stride_w > 1 || (narrow && map >= least_run) ? 1 : std::clamp<int64_t>(wanted, 1, a.n);
  a.rows = std::clamp<int64_t>(block / (a.out_w * a.images), 1, a.out_h);
  const bool adjacent = a.p.dtype == DType::f32 && (a.images == 1 || pointwise);
  a.dy_in_place = adjacent && (narrow || pointwise);
  a.x_in_place = adjacent && !a.unfold && (narrow || pointwise) && a.c % lanes == 0;
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

// All taps of output position (i, p, q), channels innermost; zero where they fall on the padding. The taps of
// a kernel row are adjacent in x unless the groups lie between them.
template <class T>
void unfold(const Conv2d::Params& a, const T* x, int64_t i, int64_t p, int64_t q, float* taps) {
  const int64_t channels = a.c / a.groups, w = q * a.stride_w - a.pad_w;
  const bool adjacent = a.groups == 1 && w >= 0 && w + a.s <= a.w;
  for (int64_t r = 0; r < a.r; ++r, taps += a.s * channels) {
    const int64_t h = p * a.stride_h + r - a.pad_h;
    const T* row = x + (i * a.h + h) * a.w * a.c;
    if (h < 0 || h >= a.h) {
      std::fill_n(taps, a.s * channels, 0.f);
    } else if (adjacent) {
      for (int64_t j = 0; j < a.s * channels; ++j) taps[j] = row[w * a.c + j];
    } else {
      for (int64_t s = 0; s < a.s; ++s)
        for (int64_t c = 0; c < channels; ++c)
          taps[s * channels + c] =
              w + s >= 0 && w + s < a.w ? static_cast<float>(row[(w + s) * a.c + c]) : 0.f;
    }
  }
}

template <class T>
void pack_unfolded(const WeightPlan& a, const WeightBlock& b, const T* x, float* to) {
  for (int64_t p = b.p.begin; p < b.p.end; ++p)
    for (int64_t q = 0; q < a.out_w; ++q)
      for (int64_t i = b.n.begin; i < b.n.end; ++i, to += a.unfolded_step()) {
        unfold(a.p, x, i, p, q, to);
        std::fill(to + a.c, to + a.unfolded_step(), 0.f);
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
    if (a.unfold) return pack_unfolded(a, b, from, packed);
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
