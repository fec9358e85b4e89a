// Weight gradient of codes as an outer product over positions, as in conv2d_weight, but a pair is one
// position of two images. Products may be added as integers only where their scale is the same, so images are
// sorted by it and paired with their like; each tile turns to fp32 once for every scale in a block. The order
// depends on shape and exponents alone: same bits for any number of threads.

#include <bit>
#include <cmath>

#include "kernels/cpu/conv2d/conv2d_int8_integer.h"
#include "kernels/cpu/conv2d/conv2d_int8_tile.h"
#include "kernels/cpu/conv2d/conv2d_weight_plan.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels::cpu {
namespace {

using Params = Conv2d::Params;
using Operand = Conv2dInt8::Operand;

// As in conv2d_weight_plan.cpp, in pairs.
constexpr int64_t block_positions = 512, least_run = 64;
constexpr int64_t most_parts = 16, bytes_of_parts = 4 << 20;

// One group.
struct Plan {
  Params p;
  int64_t c, k, out_h, out_w;
  int64_t pairs, rows;  // of a block: pairs of images, output rows
  int64_t parts;        // of the batch, summed apart

  int64_t taps() const { return p.r * p.s; }
  int64_t c_padded() const { return ceil_div(c, int_lanes) * int_lanes; }
  int64_t c_panels() const { return ceil_div(c, tile_columns); }
  int64_t k_panels() const { return ceil_div(k, tile_rows); }
  int64_t rows_of_x() const { return std::min(p.h, (rows - 1) * p.stride_h + p.r); }
  int64_t x_panel() const { return rows_of_x() * p.w * pairs * tile_columns; }
  int64_t dy_panel() const { return rows * out_w * pairs * tile_rows; }
  int64_t sums() const { return k * taps() * c_padded(); }
  // Two more at the end: the last position of dy is stored as a vector of eight.
  size_t bytes_per_thread() const {
    return align_up((c_panels() * x_panel() + k_panels() * dy_panel() + 2) * sizeof(Pair));
  }
};

Plan plan(const Params& p) {
  Plan a{.p = p, .c = p.c / p.groups, .k = p.k / p.groups, .out_h = p.out_h(), .out_w = p.out_w()};
  const int64_t wanted = std::max(block_positions / (a.out_h * a.out_w), least_run / a.out_w);
  a.pairs = std::clamp<int64_t>(wanted, 1, ceil_div(p.n, 2));
  a.rows = std::clamp<int64_t>(block_positions / (a.out_w * a.pairs), 1, a.out_h);
  const int64_t affordable = bytes_of_parts / (a.sums() * static_cast<int64_t>(sizeof(float)));
  a.parts = std::clamp<int64_t>(affordable, 1, std::min(most_parts, ceil_div(p.n, 2 * a.pairs)));
  return a;
}

// Two images of one scale; second is -1 where there is none.
struct ImagePair {
  float scale;
  int64_t first, second;
};

// Images whose products count, paired in order of their scales.
std::vector<ImagePair> pair_images(const Plan& a, const Operand& x, const Operand& dy) {
  const int64_t n = a.p.n, x_image = a.p.h * a.p.w * a.p.c, dy_image = a.out_h * a.out_w * a.p.k;
  std::vector<ImagePair> pairs;
  for (int64_t i = 0; i < n; ++i) {
    const float scale = scale_at(x, i * x_image) * scale_at(dy, i * dy_image);
    if (scale != 0) pairs.push_back({scale, i, -1});
  }
  const auto bits = [](const ImagePair& pair) { return std::bit_cast<uint32_t>(pair.scale); };
  std::stable_sort(pairs.begin(), pairs.end(), [&](auto& l, auto& r) { return bits(l) < bits(r); });
  if (2 * a.out_w > most_int8_products) return pairs;  // one row of two images might overflow
  size_t kept = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (kept > 0 && bits(pairs[kept - 1]) == bits(pairs[i]) && pairs[kept - 1].second < 0)
      pairs[kept - 1].second = pairs[i].first;
    else
      pairs[kept++] = pairs[i];
  }
  pairs.resize(kept);
  return pairs;
}

// Adjacent pairs of one scale, output rows p, and the rows h of x that they read. Packed they are a map of
// (row, column, pair) apart.
struct Segment {
  const ImagePair* pairs;
  int64_t count, before;  // pairs, and those of the segments before it in the block
};
struct Block {
  std::vector<Segment> segments;
  Range p, h;
};

// One side of the product: a map of codes and the channels of a group.
struct Side {
  const int8_t* codes;
  int64_t height, width, stride, channels;
};

template <int panel>
void pack_position(const int8_t* first, const int8_t* second, int64_t channels, Pair* to) {
  if (channels >= 8 && panel == tile_rows) {  // two more than the panel, overwritten by the next position
    const __m128i a = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(first));
    const __m128i b =
        second ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(second)) : _mm_setzero_si128();
    return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)));
  }
  const int64_t valid = std::min<int64_t>(panel, channels);
  if (valid == panel && second) {
    for (int j = 0; j < panel; ++j) to[j] = pair_of(first[j], second[j]);
  } else {
    for (int j = 0; j < panel; ++j) to[j] = j < valid ? pair_of(first[j], second ? second[j] : int8_t{0}) : 0;
  }
}

// to (row, column, pair, panel) <- channels [done, done + panel) of a segment
template <int panel>
void pack_segment(const Side& a, int64_t done, const Segment& segment, Range rows, Pair* to) {
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t column = 0; column < a.width; ++column)
      for (int64_t i = 0; i < segment.count; ++i, to += panel) {
        const auto [scale, first, second] = segment.pairs[i];
        const auto at = [&](int64_t n) {
          return a.codes + ((n * a.height + row) * a.width + column) * a.stride + done;
        };
        pack_position<panel>(at(first), second < 0 ? nullptr : at(second), a.channels - done, to);
      }
}

template <int panel>
void pack(const Side& a, Range panels, const Block& block, Range rows, int64_t panel_size, Pair* to) {
  for (int64_t i = panels.begin; i < panels.end; ++i, to += panel_size)
    for (const Segment& segment : block.segments)
      pack_segment<panel>(a, i * panel, segment, rows, to + segment.before * rows.size() * a.width * panel);
}

template <int rows, int vectors>
void multiply(const PairWalk& walk, const Pair* dy, const Pair* x, float scale, float* sums, int64_t stride) {
  IntVec sum[rows][vectors] = {};
  add_pairs_of_map(sum, walk, dy, x);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < vectors; ++j) add_scaled(sum[i][j], scale, sums + i * stride + j * int_lanes);
}

using Multiply = void (*)(const PairWalk&, const Pair* dy, const Pair* x, float scale, float* sums,
                          int64_t stride);
constexpr Multiply multiply_table[tile_rows][2] = {
    {multiply<1, 1>, multiply<1, 2>}, {multiply<2, 1>, multiply<2, 2>}, {multiply<3, 1>, multiply<3, 2>},
    {multiply<4, 1>, multiply<4, 2>}, {multiply<5, 1>, multiply<5, 2>}, {multiply<6, 1>, multiply<6, 2>}};

PairWalk walk_of(const Plan& a, int64_t pairs, Range p, Range q) {
  PairWalk w{.rows = p.size(), .columns = q.size(), .run = pairs};
  w.x_row = a.out_w * pairs * tile_rows, w.x_column = pairs * tile_rows, w.x_step = tile_rows, w.x_next = 1;
  w.w_row = a.p.stride_h * a.p.w * pairs * tile_columns, w.w_column = a.p.stride_w * pairs * tile_columns;
  w.w_step = tile_columns;
  if (a.p.stride_w == 1) w.run *= w.columns, w.columns = 1;
  if (w.columns == 1 && w.x_row == w.run * w.x_step && w.w_row == w.run * w.w_step)
    w.run *= w.rows, w.rows = 1;
  return w;
}

// One tile: sums (k, taps, c_padded) of one tap over all segments of a block.
void multiply_tile(const Plan& a, const Block& block, int64_t panel, int64_t k, int64_t tap, const Pair* x,
                   const Pair* dy, float* sums) {
  const int64_t r = tap / a.p.s, s = tap % a.p.s;
  const Range p = reached(block.p, a.p.stride_h, r, a.p.pad_h, a.p.h);
  const Range q = reached({0, a.out_w}, a.p.stride_w, s, a.p.pad_w, a.p.w);
  if (p.size() <= 0 || q.size() <= 0) return;
  const int64_t h = p.begin * a.p.stride_h + r - a.p.pad_h - block.h.begin,
                w = q.begin * a.p.stride_w + s - a.p.pad_w;
  const Multiply f =
      multiply_table[std::min<int64_t>(tile_rows, a.k - k) - 1][a.c - panel * tile_columns > int_lanes];
  sums += (k * a.taps() + tap) * a.c_padded() + panel * tile_columns;
  for (const Segment& segment : block.segments) {
    const Pair* from_x =
        x + (segment.before * block.h.size() * a.p.w + (h * a.p.w + w) * segment.count) * tile_columns;
    const Pair* from_dy = dy + (segment.before * block.p.size() * a.out_w +
                                ((p.begin - block.p.begin) * a.out_w + q.begin) * segment.count) *
                                   tile_rows;
    f(walk_of(a, segment.count, p, q), from_dy, from_x, segment.pairs->scale, sums, a.taps() * a.c_padded());
  }
}

void run_block(const Plan& a, const Block& block, Range panels, const Side& x, const Side& dy, Pair* packed_x,
               float* sums) {
  Pair* packed_dy = packed_x + a.c_panels() * a.x_panel();
  pack<tile_columns>(x, panels, block, block.h, a.x_panel(), packed_x);
  pack<tile_rows>(dy, {0, a.k_panels()}, block, block.p, a.dy_panel(), packed_dy);
  for (int64_t panel = panels.begin; panel < panels.end; ++panel, packed_x += a.x_panel())
    for (int64_t k = 0; k < a.k; k += tile_rows)
      for (int64_t tap = 0; tap < a.taps(); ++tap)
        multiply_tile(a, block, panel, k, tap, packed_x, packed_dy + k / tile_rows * a.dy_panel(), sums);
}

std::vector<Segment> segments_of(const ImagePair* pairs, int64_t count) {
  std::vector<Segment> all;
  for (int64_t i = 0; i < count; ++i) {
    if (i == 0 || std::bit_cast<uint32_t>(pairs[i].scale) != std::bit_cast<uint32_t>(pairs[i - 1].scale))
      all.push_back({pairs + i, 0, i});
    ++all.back().count;
  }
  return all;
}

// Sums of some pairs of images over the channel panels.
void run_part(const Plan& a, const ImagePair* pairs, int64_t count, Range panels, const Side& x,
              const Side& dy, Pair* packed, float* sums) {
  const int64_t begin = panels.begin * tile_columns, end = std::min(panels.end * tile_columns, a.c_padded());
  if (begin >= end) return;
  for (int64_t row = 0; row < a.k * a.taps(); ++row)
    std::fill(sums + row * a.c_padded() + begin, sums + row * a.c_padded() + end, 0.f);
  for (int64_t i = 0; i < count; i += a.pairs) {
    Block block{segments_of(pairs + i, std::min(a.pairs, count - i))};
    for (int64_t p = 0; p < a.out_h; p += a.rows) {
      block.p = {p, std::min(a.out_h, p + a.rows)};
      const int64_t first = p * a.p.stride_h - a.p.pad_h,
                    last = (block.p.end - 1) * a.p.stride_h + a.p.r - 1 - a.p.pad_h;
      block.h = {std::clamp<int64_t>(first, 0, a.p.h), std::clamp<int64_t>(last + 1, 0, a.p.h)};
      run_block(a, block, panels, x, dy, packed, sums);
    }
  }
}

// db (K) <- the samples in order.
void bias_gradient(const Params& p, const Operand& dy, float* db, float* of_samples) {
  const int64_t pixels = p.out_h() * p.out_w();
  parallel_for(p.n, [&](int64_t n) {
    const int8_t* codes = dy.codes + n * pixels * p.k;
    const float scale = scale_at(dy, n * pixels * p.k);
    std::vector<int32_t> sum(p.k);
    for (int64_t pixel = 0; pixel < pixels; ++pixel, codes += p.k)
      for (int64_t k = 0; k < p.k; ++k) sum[k] += codes[k];
    for (int64_t k = 0; k < p.k; ++k) of_samples[n * p.k + k] = static_cast<float>(sum[k]) * scale;
  });
  std::copy_n(of_samples, p.k, db);
  for (int64_t n = 1; n < p.n; ++n)
    for (int64_t k = 0; k < p.k; ++k) db[k] += of_samples[n * p.k + k];
}

size_t bytes_of_sums(const Plan& a) {
  return align_up(std::max(a.parts * a.sums(), a.p.n * a.p.k) * sizeof(float));
}

}  // namespace

size_t integer_weight_workspace(const Params& p) {
  const Plan a = plan(p);
  return bytes_of_sums(a) + threads() * a.bytes_per_thread();
}

void integer_weight_gradient(const Params& p, const Operand& x, const Operand& dy, float* dw, float* db,
                             void* workspace) {
  const Plan a = plan(p);
  const std::vector<ImagePair> pairs = pair_images(a, x, dy);
  auto* sums = static_cast<float*>(workspace);
  std::byte* memory = static_cast<std::byte*>(workspace) + bytes_of_sums(a);
  // Two tasks per thread: channel panels are split where the parts are too few. This never changes a sum.
  const int64_t splits = std::min(a.c_panels(), ceil_div(2 * threads(), a.parts));
  const int64_t panels = ceil_div(a.c_panels(), splits);
  const auto count = static_cast<int64_t>(pairs.size());
  const int64_t step = ceil_div(ceil_div(count, a.pairs), a.parts) * a.pairs;
  for (int64_t g = 0; g < p.groups; ++g) {
    const Side from_x{x.codes + g * a.c, p.h, p.w, p.c, a.c},
        from_dy{dy.codes + g * a.k, a.out_h, a.out_w, p.k, a.k};
    parallel_for(a.parts * splits, [&](int64_t task) {
      const int64_t part = task / splits, split = task % splits;
      const int64_t first = std::min(count, part * step), last = std::min(count, first + step);
      const Range c{std::min(a.c_panels(), split * panels), std::min(a.c_panels(), (split + 1) * panels)};
      auto* packed = reinterpret_cast<Pair*>(memory + thread_index() * a.bytes_per_thread());
      run_part(a, pairs.data() + first, last - first, c, from_x, from_dy, packed, sums + part * a.sums());
    });
    add_parts(a, sums, dw + g * a.k * a.taps() * a.c);
  }
  if (db) bias_gradient(p, dy, db, sums);
}

}  // namespace eb::kernels::cpu
