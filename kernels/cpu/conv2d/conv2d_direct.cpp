// y (images, k) += x (images, taps * c) w (taps * c, k), for every output pixel apart, so that taps on the
// padding are never multiplied: a 2x2 map under a 3x3 kernel needs 4/9 of the products. Six images are packed
// side by side; the taps of a pixel in one kernel row are then one run of memory, and the tile of the weight
// gradient serves here too. Backward-data is the same convolution with transposed, flipped weights. Each sum
// has one order: same bits always.
//
// GFLOP/s of one core, forward, padding counted, oneDNN 2.6 (its backward-data, the better one) -> this:
// 64x64 h32 81 -> 91; 128x128 h16 88 -> 96; 256x256 h8 97 -> 102; 512x512 h4 91 -> 111; 512x512 h2 83 -> 180.
#include "kernels/cpu/conv2d/conv2d_direct.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/conv2d/conv2d_weight_tile.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/range.h"

namespace eb::kernels::cpu {
namespace {

using Direction = Conv2d::Direction;

// Channels of a block: a pixel's taps and their weights stay in L1 and L2. 32: 512x512 h2 159 instead of 180
// GFLOP/s.
constexpr int64_t block_c = 64;
// From this many channels on: 16x16 h32 forward 73 -> 77 GFLOP/s of one core but backward-data 89 -> 76;
// 12x20 h32 forward 76 -> 54; 32x32 h16 even; 64x64 h8 83 -> 105 and 103 -> 106.
constexpr int64_t least_channels_forward = 16, least_channels_backward = 32;
// Output pixels of a task: with fewer, weights come from L3 too often; with more, x no longer fits L2.
constexpr int64_t least_pixels = 16, most_pixels = 512;

// The problem in the terms of a forward convolution, and its cut into tasks of some images and rows.
struct Problem {
  DType dtype;
  int64_t n, h, w, c, k, r, s, pad_h, pad_w, out_h, out_w;
  bool transposed;

  int64_t image() const { return out_h * out_w * k; }
  int64_t taps() const { return r * s; }
  int64_t blocks() const { return ceil_div(c, block_c); }
  int64_t panels() const { return ceil_div(k, tile_c); }
  int64_t channels(int64_t block) const { return std::min(block_c, c - block * block_c); }
  int64_t groups() const { return ceil_div(least_pixels, out_h * out_w); }  // of six images, of a task
  int64_t images() const { return groups() * tile_k; }
  int64_t rows() const { return std::clamp<int64_t>(most_pixels / out_w, 1, out_h); }
  int64_t row_tasks() const { return ceil_div(out_h, rows()); }
  int64_t group_floats() const { return std::min(h, rows() + r - 1) * w * block_c * tile_k; }
  int64_t result_floats() const { return dtype == DType::f32 ? 0 : images() * rows() * out_w * k; }
  int64_t floats_per_thread() const { return ceil_div(groups() * group_floats() + result_floats(), 16) * 16; }
};

Problem problem(const Conv2d::Params& p, Direction d) {
  if (d == Direction::forward)
    return {p.dtype, p.n, p.h, p.w, p.c, p.k, p.r, p.s, p.pad_h, p.pad_w, p.out_h(), p.out_w(), false};
  return {p.dtype,           p.n, p.out_h(), p.out_w(), p.k, p.c, p.r, p.s, p.r - 1 - p.pad_h,
          p.s - 1 - p.pad_w, p.h, p.w,       true};
}

// Images, output rows, and the rows of x that these read. x and y as the task sees them.
struct Task {
  Range images, p, h;
  const float* x;   // (group, row, column, channel of the block, six images)
  float* y;         // pixel (images.begin, p.begin, 0)
  int64_t y_image;  // floats from image to image
};

// Taps t of output o that lie on the map: 0 <= o + t - pad < size.
Range taps_inside(int64_t o, int64_t taps, int64_t pad, int64_t size) {
  return {std::max<int64_t>(0, pad - o), std::min(taps, size + pad - o)};
}

// to (row, column, channel, six images) <- x (N, H, W, C) at channels [begin, begin + channels).
template <class T>
void pack_group(const Problem& a, const T* x, Range images, Range h, int64_t begin, int64_t channels,
                float* to) {
  for (int64_t pixel = h.begin * a.w; pixel < h.end * a.w; ++pixel, to += channels * tile_k)
    for (int64_t i = 0; i < images.size(); ++i) {
      const T* from = x + ((images.begin + i) * a.h * a.w + pixel) * a.c + begin;
      for (int64_t c = 0; c < channels; ++c) to[c * tile_k + i] = from[c];
    }
}

// y (images, width channels) += one block of input channels, for output pixel (p, q).
void multiply_pixel(const Problem& a, const Task& task, int64_t p, int64_t q, int64_t images,
                    int64_t channels, int64_t width, const float* x, const float* weights, float* y) {
  const Range r = taps_inside(p, a.r, a.pad_h, a.h), s = taps_inside(q, a.s, a.pad_w, a.w);
  if (r.size() <= 0 || s.size() <= 0) return;
  Walk walk{.rows = r.size(), .run = s.size() * channels};
  walk.x_row = a.s * channels * tile_c, walk.x_step = tile_c;
  walk.dy_row = a.w * channels * tile_k, walk.dy_step = tile_k;
  const float* w0 = weights + (r.begin * a.s + s.begin) * channels * tile_c;
  const int64_t row = p + r.begin - a.pad_h - task.h.begin, column = q + s.begin - a.pad_w;
  const float* x0 = x + (row * a.w + column) * channels * tile_k;
  const Accumulate f = accumulate_table[images - 1][width > lanes];
  if (width % lanes == 0) return f(walk, w0, x0, y, task.y_image);
  float tile[tile_k * tile_c] = {};  // the last panel is narrower than its vectors
  for (int64_t i = 0; i < images; ++i) std::copy_n(y + i * task.y_image, width, tile + i * tile_c);
  f(walk, w0, x0, tile, tile_c);
  for (int64_t i = 0; i < images; ++i) std::copy_n(tile + i * tile_c, width, y + i * task.y_image);
}

// All pixels and output channels of a task, over one block of input channels.
void multiply_block(const Problem& a, const Task& task, int64_t channels, const float* weights) {
  for (int64_t k = 0; k < a.k; k += tile_c, weights += a.taps() * channels * tile_c)
    for (int64_t i = 0; i < task.images.size(); i += tile_k)
      for (int64_t p = task.p.begin; p < task.p.end; ++p)
        for (int64_t q = 0; q < a.out_w; ++q)
          multiply_pixel(a, task, p, q, std::min<int64_t>(tile_k, task.images.size() - i), channels,
                         std::min<int64_t>(tile_c, a.k - k), task.x + i / tile_k * a.group_floats(), weights,
                         task.y + i * task.y_image + ((p - task.p.begin) * a.out_w + q) * a.k + k);
}

Task task_at(const Problem& a, int64_t index) {
  const int64_t n = index / a.row_tasks() * a.images(), row = index % a.row_tasks() * a.rows();
  const Range p{row, std::min(a.out_h, row + a.rows())};
  const Range h{std::clamp<int64_t>(p.begin - a.pad_h, 0, a.h),
                std::clamp<int64_t>(p.end - 1 + a.r - a.pad_h, 0, a.h)};
  return {{n, std::min(a.n, n + a.images())}, p, h};
}

// The sums start from the bias or zero.
void start_sums(const Problem& a, const Task& task, const float* b) {
  for (int64_t i = 0; i < task.images.size(); ++i) {
    float* y = task.y + i * task.y_image;
    for (int64_t pixel = 0; pixel < task.p.size() * a.out_w; ++pixel, y += a.k) {
      if (b) {
        std::copy_n(b, a.k, y);
      } else {
        std::fill_n(y, a.k, 0.f);
      }
    }
  }
}

void run_task(const Problem& a, Task& task, const auto* x, const float* packed, const float* b,
              float* packed_x) {
  start_sums(a, task, b);
  task.x = packed_x;
  for (int64_t block = 0; block < a.blocks(); ++block) {
    const int64_t channels = a.channels(block);
    for (int64_t i = task.images.begin; i < task.images.end; i += tile_k)
      pack_group(a, x, {i, std::min<int64_t>(task.images.end, i + tile_k)}, task.h, block * block_c, channels,
                 packed_x + (i - task.images.begin) / tile_k * a.group_floats());
    multiply_block(a, task, channels, packed);
    packed += a.panels() * a.taps() * channels * tile_c;
  }
}

void run(const Problem& a, int64_t index, const float* x, const float* packed, const float* b, float* y,
         float* mine) {
  Task task = task_at(a, index);
  task.y = y + task.images.begin * a.image() + task.p.begin * a.out_w * a.k;
  task.y_image = a.image();
  run_task(a, task, x, packed, b, mine);
}

void run(const Problem& a, int64_t index, const bf16* x, const float* packed, const float* b, bf16* y,
         float* mine) {
  Task task = task_at(a, index);
  task.y = mine + a.groups() * a.group_floats();
  task.y_image = task.p.size() * a.out_w * a.k;
  run_task(a, task, x, packed, b, mine);
  y += task.images.begin * a.image() + task.p.begin * a.out_w * a.k;
  for (int64_t i = 0; i < task.images.size(); ++i)
    to_bf16(task.y_image, task.y + i * task.y_image, y + i * a.image());
}

// Output channels [k, k + tile_c) of one tap and input channel, from OHWI weights of the original problem.
template <class T>
void pack_row(const Problem& a, const T* w, int64_t k, int64_t tap, int64_t c, float* to) {
  const int64_t width = std::min<int64_t>(tile_c, a.k - k);
  const T* from =
      a.transposed ? w + (c * a.taps() + a.taps() - 1 - tap) * a.k + k : w + (k * a.taps() + tap) * a.c + c;
  const int64_t step = a.transposed ? 1 : a.taps() * a.c;
  for (int64_t j = 0; j < width; ++j) to[j] = from[j * step];
  std::fill(to + width, to + tile_c, 0.f);
}

}  // namespace

bool is_direct(const Conv2d::Params& p, Direction d) {
  if (d == Direction::backward_weight || p.groups > 1 || p.stride_h * p.stride_w > 1 || p.r * p.s == 1)
    return false;
  if (p.pad_h >= p.r || p.pad_w >= p.s || (p.dtype == DType::bf16 && native_bf16())) return false;
  return std::min(p.c, p.k) >= (d == Direction::forward ? least_channels_forward : least_channels_backward);
}

size_t direct_workspace(const Conv2d::Params& p, Direction d) {
  return threads() * problem(p, d).floats_per_thread() * sizeof(float);
}

size_t direct_packed_bytes(const Conv2d::Params& p, Direction d) {
  const Problem a = problem(p, d);
  return a.panels() * a.taps() * a.c * tile_c * sizeof(float);
}

// packed (block of c, panel of k, r, s, channel of the block, tile_c)
void direct_pack(const Conv2d::Params& p, Direction d, const void* w, void* packed, void*) {
  const Problem a = problem(p, d);
  by_dtype(p.dtype, [&]<class T>() {
    parallel_for(a.blocks() * a.panels(), [&](int64_t i) {
      const int64_t block = i / a.panels(), panel = i % a.panels(), channels = a.channels(block);
      float* to =
          static_cast<float*>(packed) + a.taps() * tile_c * (block * block_c * a.panels() + panel * channels);
      for (int64_t tap = 0; tap < a.taps(); ++tap)
        for (int64_t c = block * block_c; c < block * block_c + channels; ++c, to += tile_c)
          pack_row(a, static_cast<const T*>(w), panel * tile_c, tap, c, to);
    });
  });
}

void direct_run(const Conv2d::Params& p, Direction d, const void* in, const void* packed, const float* b,
                void* out, void* workspace) {
  const Problem a = problem(p, d);
  by_dtype(p.dtype, [&]<class T>() {
    parallel_for(ceil_div(a.n, a.images()) * a.row_tasks(), [&](int64_t i) {
      float* mine = static_cast<float*>(workspace) + thread_index() * a.floats_per_thread();
      run(a, i, static_cast<const T*>(in), static_cast<const float*>(packed), b, static_cast<T*>(out), mine);
    });
  });
}

}  // namespace eb::kernels::cpu
