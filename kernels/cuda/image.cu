// Crop, flip and normalise: a thread takes some neighbouring pixels of a row, so that it can store whole
// vectors; a block first tabulates (v / 255 - mean) / std for every value and channel, with the operations of
// the CPU and so with its bits.
#include "kernels/image.h"

#include "kernels/cuda/vector.cuh"
#include "kernels/philox.h"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256, values = 256;
constexpr int most_pixels = 4;  // a thread's: three stores of 8 (bf16) or 16 bytes at three channels

using Params = Image::Params;

template <int C>
struct Table {
  float of[C][values];
};

// Of the crop in the unpadded image; may be negative.
struct View {
  int64_t top, left;
  bool flip;
};

__device__ View view_of(const Params& p, int64_t sample_id) {
  const int64_t free_h = p.h + 2 * p.pad - p.out_h, free_w = p.w + 2 * p.pad - p.out_w;
  const auto id = static_cast<uint64_t>(sample_id);
  View v{free_h / 2 - p.pad, free_w / 2 - p.pad, false};
  if (p.random_crop) {
    const Philox4 words = philox(p.seed, Stream::crop, p.epoch, id);
    v.top = int64_t{below(words[0], static_cast<uint32_t>(free_h + 1))} - p.pad;
    v.left = int64_t{below(words[1], static_cast<uint32_t>(free_w + 1))} - p.pad;
  }
  v.flip = p.random_flip && philox(p.seed, Stream::flip, p.epoch, id)[0] >> 31;
  return v;
}

// P pixels of C channels from column `ow` of row `oh` on; out_w is a multiple of P.
template <class T, int C, int P>
__device__ void pixels(const Params& p, const Table<C>& table, const View& view, int64_t oh, int64_t ow,
                       const uint8_t* x, T* y) {
  const int64_t h = view.top + oh;
  const bool row_inside = h >= 0 && h < p.h;
  uint8_t raw[P * C];
#pragma unroll
  for (int i = 0; i < P; ++i) {
    const int64_t w = view.left + (view.flip ? p.out_w - 1 - (ow + i) : ow + i);
    const bool inside = row_inside && w >= 0 && w < p.w;
#pragma unroll
    for (int c = 0; c < C; ++c) raw[i * C + c] = inside ? x[(h * p.w + w) * C + c] : 0;
  }
  float out[P * C];
#pragma unroll
  for (int i = 0; i < P * C; ++i) out[i] = table.of[i % C][raw[i]];
  store_floats(y, out);
}

template <class T, int C, int P>
__global__ void crop_flip_normalize_kernel(Params p, const uint8_t* x, const int64_t* rows,
                                           const int64_t* sample_ids, T* y) {
  auto& table = shared<Table<C>>();
#pragma unroll
  for (int c = 0; c < C; ++c)
    table.of[c][threadIdx.x] = (static_cast<float>(threadIdx.x) / 255.f - p.mean[c]) / p.std[c];
  sync_threads();
  const int64_t groups = p.out_h * p.out_w / P, i = int64_t{blockIdx.x} * threads + threadIdx.x;
  const int64_t n = i / groups, first = i % groups * P;
  if (n >= p.n) return;
  const View view = view_of(p, sample_ids[n]);
  const uint8_t* image = x + (rows ? rows[n] : n) * p.h * p.w * C;
  pixels<T, C, P>(p, table, view, first / p.out_w, first % p.out_w, image, y + i * P * C);
}

// f.operator()<C, P>() for the channels, and several pixels a thread where a row has whole groups of them.
template <class F>
void by_shape(const Params& p, F&& f) {
  const auto run = [&]<int C>() {
    p.out_w % most_pixels == 0 ? f.template operator()<C, most_pixels>() : f.template operator()<C, 1>();
  };
  p.c == 1   ? run.template operator()<1>()
  : p.c == 2 ? run.template operator()<2>()
  : p.c == 3 ? run.template operator()<3>()
             : run.template operator()<4>();
}

void crop_flip_normalize(const Params& p, const uint8_t* x, const int64_t* rows, const int64_t* sample_ids,
                         void* y) {
  static_assert(threads == values);
  const int64_t pixels = p.n * p.out_h * p.out_w;
  if (pixels == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    by_shape(p, [&]<int C, int P>() {
      launch({"crop_flip_normalize", blocks_for(pixels / P, threads), threads, sizeof(Table<C>)},
             crop_flip_normalize_kernel<T, C, P>, p, x, rows, sample_ids, static_cast<T*>(y));
    });
  });
}

}  // namespace

const Image image{.crop_flip_normalize = crop_flip_normalize};

}  // namespace eb::kernels::cuda
