// out (images, k) = sums of in (images, taps * c) w (taps * c, k) for every output pixel apart, as in
// conv2d_direct: taps on the padding are never multiplied, six images side by side make a tile, backward-data
// is a convolution with transposed, flipped weights whose input is spread by the stride. Sums of a task stay
// in cache as int32 and are scaled once.
#include "kernels/cpu/conv2d/conv2d_int8_integer.h"

#include <bit>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/conv2d/conv2d_int8_problem.h"
#include "kernels/cpu/largest.h"

namespace eb::kernels::cpu {
namespace {

using Params = Conv2d::Params;
using Direction = Conv2d::Direction;
using Operand = Conv2dInt8::Operand;
using Problem = IntegerProblem;

// to <- n codes and a zero if n is odd.
void widen(int64_t n, const int8_t* codes, Pair* to) {
  using HalfPair [[gnu::may_alias]] = int16_t;
  auto* wide = reinterpret_cast<HalfPair*>(to);
  for (int64_t i = 0; i < n; ++i) wide[i] = codes[i];
  if (n % 2) wide[n] = 0;
}

// One group's call.
struct Call {
  const Problem& a;
  int64_t group;
  Operand in, w;
  const Pair* packed;
  const float* b;
  const Axis::Reads* columns;  // of every output column

  int64_t in_channels() const { return a.groups * a.c; }
  int64_t out_channels() const { return a.groups * a.k; }
};

struct Task {
  Range images, p, h;  // output rows p read input rows h
  Pair* x;             // (tile, row, image, column, pair)
  int32_t* sums;       // (image, row, column, k_padded)
  float* scales;       // (k)
};

Task task_at(const Problem& a, int64_t index, std::byte* memory) {
  const int64_t n = index / a.row_tasks() * a.images(), row = index % a.row_tasks() * a.rows();
  const Range p{row, std::min(a.h.out, row + a.rows())};
  Task t{{n, std::min(a.n, n + a.images())}, p, a.h.inputs(p)};
  t.x = reinterpret_cast<Pair*>(memory);
  t.sums = t.x + a.tiles() * a.tile_pairs();
  t.scales = reinterpret_cast<float*>(t.sums + a.sums());
  return t;
}

void pack_images(const Call& call, const Task& t, int64_t block) {
  const Problem& a = call.a;
  const int64_t pairs = a.pairs(block), first = call.group * a.c + 2 * block * block_pairs;
  const int64_t channels = std::min(2 * pairs, a.c - 2 * block * block_pairs);
  for (int64_t i = 0; i < t.images.size(); ++i)
    for (int64_t h = t.h.begin; h < t.h.end; ++h) {
      const int8_t* from =
          call.in.codes + ((t.images.begin + i) * a.h.in + h) * a.w.in * call.in_channels() + first;
      Pair* to = t.x + i / tile_rows * a.tile_pairs() +
                 ((h - t.h.begin) * tile_rows + i % tile_rows) * a.row_pairs();
      if (channels == call.in_channels() && channels % 2 == 0) {
        widen(a.w.in * channels, from, to);
      } else {
        for (int64_t w = 0; w < a.w.in; ++w) widen(channels, from + w * call.in_channels(), to + w * pairs);
      }
    }
}

template <int rows, int vectors>
void multiply(PairWalk walk, const Pair* x, const Pair* w, bool start, int32_t* sums, int64_t stride) {
  IntVec sum[rows][vectors];
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < vectors; ++j)
      sum[i][j] = start ? broadcast(0) : load(sums + i * stride + j * int_lanes);
  add_pairs_of_map(sum, walk, x, w);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < vectors; ++j) store(sums + i * stride + j * int_lanes, sum[i][j]);
}

using Multiply = void (*)(PairWalk, const Pair* x, const Pair* w, bool start, int32_t* sums, int64_t stride);
constexpr Multiply multiply_table[tile_rows][2] = {
    {multiply<1, 1>, multiply<1, 2>}, {multiply<2, 1>, multiply<2, 2>}, {multiply<3, 1>, multiply<3, 2>},
    {multiply<4, 1>, multiply<4, 2>}, {multiply<5, 1>, multiply<5, 2>}, {multiply<6, 1>, multiply<6, 2>}};

// What all tiles of a row of pixels share.
struct Row {
  PairWalk walk;  // without columns and run
  const Pair* x;
  const Pair* weights;
  int32_t* sums;
  int64_t pairs, width, next_image;
  bool start;
  Multiply multiply;
};

void multiply_row(const Call& call, const Row& row) {
  const Axis& w = call.a.w;
  PairWalk walk = row.walk;
  for (int64_t q = 0; q < w.out; ++q) {
    const Axis::Reads s = call.columns[q];
    walk.columns = w.in_stride == 1 ? s.count > 0 : s.count;
    walk.run = row.pairs * (w.in_stride == 1 ? s.count : 1);
    row.multiply(walk, row.x + s.input * row.pairs, row.weights + s.tap * row.pairs * tile_columns, row.start,
                 row.sums + q * row.width, row.next_image);
  }
}

// One panel of channels for the images from first_image on, output row p, one block of input channels.
Row row_at(const Problem& a, const Task& t, int64_t block, int64_t panel, int64_t first_image, int64_t p,
           const Pair* weights) {
  Axis::Reads r = a.h.reads(p);
  if (r.count == 0) r.input = t.h.begin;  // nothing is read, from inside the buffer
  const int64_t pairs = a.pairs(block), tap = pairs * tile_columns, pixels = t.p.size() * a.w.out;
  PairWalk walk{.rows = r.count};
  walk.x_row = tile_rows * a.row_pairs(), walk.x_column = pairs, walk.x_step = 1, walk.x_next = a.row_pairs();
  walk.w_row = a.h.in_stride * a.w.taps * tap, walk.w_column = a.w.in_stride * tap;
  walk.w_step = tile_columns;
  const Pair* x = t.x + first_image / tile_rows * a.tile_pairs() + (r.input - t.h.begin) * walk.x_row;
  int32_t* sums =
      t.sums + (first_image * pixels + (p - t.p.begin) * a.w.out) * a.k_padded() + panel * tile_columns;
  const int64_t images = std::min<int64_t>(tile_rows, t.images.size() - first_image);
  const bool wide = a.k - panel * tile_columns > int_lanes;
  return {walk,
          x,
          weights + r.tap * a.w.taps * tap,
          sums,
          pairs,
          a.k_padded(),
          pixels * a.k_padded(),
          block == 0,
          multiply_table[images - 1][wide]};
}

void multiply_block(const Call& call, const Task& t, int64_t block, const Pair* weights) {
  const Problem& a = call.a;
  for (int64_t panel = 0; panel < a.panels(); ++panel, weights += a.taps() * a.pairs(block) * tile_columns)
    for (int64_t i = 0; i < t.images.size(); i += tile_rows)
      for (int64_t p = t.p.begin; p < t.p.end; ++p)
        multiply_row(call, row_at(a, t, block, panel, i, p, weights));
}

// y (k) <- the sums of a pixel.
template <bool with_b, class T>
void scale_pixel(int64_t k, const int32_t* sums, const float* scales, const float* b, T* y) {
  for (int64_t i = 0; i < k; ++i) {
    const float v = static_cast<float>(sums[i]) * scales[i];
    y[i] = with_b ? v + b[i] : v;
  }
}

// One row of pixels of one image; returns the bits of the largest |y|.
template <class T>
uint32_t finish_row(const Call& call, const int32_t* sums, const float* scales, bool want_largest, T* y) {
  const Problem& a = call.a;
  const float* b = call.b ? call.b + call.group * a.k : nullptr;
  const int64_t step = call.out_channels();
  for (int64_t q = 0; q < a.w.out; ++q, sums += a.k_padded())
    b ? scale_pixel<true>(a.k, sums, scales, b, y + q * step)
      : scale_pixel<false>(a.k, sums, scales, b, y + q * step);
  if (!want_largest) return 0;
  if (a.groups == 1) return largest_of(a.w.out * a.k, y);
  uint32_t most = 0;
  for (int64_t q = 0; q < a.w.out; ++q) most = std::max(most, largest_of(a.k, y + q * step));
  return most;
}

template <class T>
void finish(const Call& call, const Task& t, T* y, uint32_t* largest) {
  const Problem& a = call.a;
  const int64_t rows = t.p.size(), in_sample = a.h.in * a.w.in * call.in_channels();
  const int64_t in_filter = a.transposed ? 0 : a.taps() * a.c;
  for (int64_t i = 0; i < t.images.size(); ++i) {
    const int64_t n = t.images.begin + i;
    const float of_image = scale_at(call.in, n * in_sample);
    for (int64_t k = 0; k < a.k; ++k)
      t.scales[k] = of_image * scale_at(call.w, (call.group * a.k + k) * in_filter);
    uint32_t most = 0;
    for (int64_t p = 0; p < rows; ++p) {
      T* to = y + (n * a.h.out + t.p.begin + p) * a.w.out * call.out_channels() + call.group * a.k;
      const int32_t* sums = t.sums + (i * rows + p) * a.w.out * a.k_padded();
      most = std::max(most, finish_row(call, sums, t.scales, largest != nullptr, to));
    }
    if (largest) raise(largest[n], most);
  }
}

void run_task(const Call& call, const Task& t, void* out, uint32_t* largest) {
  const Pair* weights = call.packed;
  for (int64_t block = 0; block < call.a.blocks(); ++block) {
    pack_images(call, t, block);
    multiply_block(call, t, block, weights);
    weights += call.a.panels() * call.a.taps() * call.a.pairs(block) * tile_columns;
  }
  by_dtype(call.a.dtype, [&]<class T>() { finish(call, t, static_cast<T*>(out), largest); });
}

// The weights of output channels [k, k + tile_columns), one tap, the pair of input channels from c on, out of
// OHWI weights of the original problem.
void pack_row(const Problem& a, int64_t group, const int8_t* w, int64_t k, int64_t tap, int64_t c, Pair* to) {
  const int64_t width = std::min<int64_t>(tile_columns, a.k - k),
                filter = a.taps() * (a.transposed ? a.k : a.c);
  const int8_t* from = a.transposed ? w + (group * a.c + c) * filter + (a.taps() - 1 - tap) * a.k + k
                                    : w + (group * a.k + k) * filter + tap * a.c + c;
  const int64_t step = a.transposed ? 1 : filter, second = a.transposed ? filter : 1;
  for (int64_t j = 0; j < width; ++j)
    to[j] = pair_of(from[j * step], c + 1 < a.c ? from[j * step + second] : int8_t{0});
  std::fill(to + width, to + tile_columns, 0);
}

// to (8 pairs, tile_columns) <- 16 codes each of 8 rows
void transpose_pairs(const int8_t* rows, int64_t step, Pair* to) {
  __m128i a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + i * step));
  for (int i = 0; i < 4; ++i) {  // each step brings rows i and i + 4 together: three of them are a transpose
    b[2 * i] = _mm_unpacklo_epi16(a[i], a[i + 4]);
    b[2 * i + 1] = _mm_unpackhi_epi16(a[i], a[i + 4]);
  }
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm_unpacklo_epi16(b[i], b[i + 4]);
    a[2 * i + 1] = _mm_unpackhi_epi16(b[i], b[i + 4]);
  }
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = _mm_unpacklo_epi16(a[i], a[i + 4]);
    b[2 * i + 1] = _mm_unpackhi_epi16(a[i], a[i + 4]);
  }
  for (int i = 0; i < 8; ++i)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i * tile_columns), _mm256_cvtepi8_epi16(b[i]));
}

// One panel of one tap, pairs from `first` on: to (pairs, tile_columns)
void pack_tap(const Problem& a, int64_t group, const int8_t* w, int64_t k, int64_t tap, int64_t first,
              int64_t pairs, Pair* to) {
  const bool whole = !a.transposed && k + tile_columns <= a.k;
  for (int64_t i = 0; i < pairs;) {
    const int64_t c = 2 * (first + i), filter = a.taps() * a.c;
    if (whole && i + 8 <= pairs && c + 16 <= a.c) {
      for (int j = 0; j < tile_columns; j += 8)
        transpose_pairs(w + (group * a.k + k + j) * filter + tap * a.c + c, filter,
                        to + i * tile_columns + j);
      i += 8;
    } else {
      pack_row(a, group, w, k, tap, c, to + i * tile_columns);
      ++i;
    }
  }
}

// packed (block of pairs, panel of k, tap, pair of the block, tile_columns)
void pack_weights(const Problem& a, int64_t group, const int8_t* w, Pair* packed) {
  parallel_for(a.blocks() * a.panels(), [&](int64_t i) {
    const int64_t block = i / a.panels(), panel = i % a.panels(), pairs = a.pairs(block);
    const int64_t first = block * block_pairs;
    Pair* to = packed + a.taps() * tile_columns * (first * a.panels() + panel * pairs);
    for (int64_t tap = 0; tap < a.taps(); ++tap, to += pairs * tile_columns)
      pack_tap(a, group, w, panel * tile_columns, tap, first, pairs, to);
  });
}

}  // namespace

size_t integer_workspace(const Params& p, Direction d) {
  const Problem a = integer_problem(p, d);
  return align_up(a.packed_pairs() * sizeof(Pair)) + threads() * a.bytes_per_thread();
}

void integer_run(const Params& p, Direction d, const Operand& in, const Operand& w, const float* b, void* out,
                 uint32_t* largest, void* workspace) {
  const Problem a = integer_problem(p, d);
  auto* packed = static_cast<Pair*>(workspace);
  std::byte* memory = static_cast<std::byte*>(workspace) + align_up(a.packed_pairs() * sizeof(Pair));
  if (largest) std::fill_n(largest, p.n, 0u);
  std::vector<Axis::Reads> columns;
  for (int64_t q = 0; q < a.w.out; ++q) columns.push_back(a.w.reads(q));
  for (int64_t group = 0; group < a.groups; ++group) {
    pack_weights(a, group, w.codes, packed);
    const Call call{a, group, in, w, packed, b, columns.data()};
    parallel_for(ceil_div(a.n, a.images()) * a.row_tasks(), [&](int64_t i) {
      run_task(call, task_at(a, i, memory + thread_index() * a.bytes_per_thread()), out, largest);
    });
  }
}

}  // namespace eb::kernels::cpu
