// Crop, flip and normalise: one thread per output pixel. The same operations as on the CPU, so the same bits.
#include "kernels/image.h"

#include "kernels/cuda/vector.cuh"
#include "kernels/philox.h"

namespace eb::kernels::EB_BACKEND {

namespace {

constexpr int threads = 256;

template <class T>
__global__ void crop_flip_normalize_kernel(Image::Params p, const uint8_t* x, const int64_t* rows,
                                           const int64_t* sample_ids, T* y) {
  const int64_t pixels = p.out_h * p.out_w, i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.n * pixels) return;
  const int64_t n = i / pixels, oh = i % pixels / p.out_w, ow = i % p.out_w;
  const int64_t free_h = p.h + 2 * p.pad - p.out_h, free_w = p.w + 2 * p.pad - p.out_w;
  const auto id = static_cast<uint64_t>(sample_ids[n]);
  int64_t top = free_h / 2 - p.pad, left = free_w / 2 - p.pad;
  if (p.random_crop) {
    const Philox4 words = philox(p.seed, Stream::crop, p.epoch, id);
    top = int64_t{below(words[0], static_cast<uint32_t>(free_h + 1))} - p.pad;
    left = int64_t{below(words[1], static_cast<uint32_t>(free_w + 1))} - p.pad;
  }
  const bool flip = p.random_flip && philox(p.seed, Stream::flip, p.epoch, id)[0] >> 31;
  const int64_t h = top + oh, w = left + (flip ? p.out_w - 1 - ow : ow);
  const bool inside = h >= 0 && h < p.h && w >= 0 && w < p.w;
  const int64_t row = rows ? rows[n] : n;
  const uint8_t* pixel = x + ((row * p.h + h) * p.w + w) * p.c;
  for (int c = 0; c < p.c; ++c) {
    const float v = inside ? static_cast<float>(pixel[c]) : 0.f;
    y[i * p.c + c] = T((v / 255.f - p.mean[c]) / p.std[c]);
  }
}

void crop_flip_normalize(const Image::Params& p, const uint8_t* x, const int64_t* rows,
                         const int64_t* sample_ids, void* y) {
  const int64_t pixels = p.n * p.out_h * p.out_w;
  if (pixels == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    launch({"crop_flip_normalize", blocks_for(pixels, threads), threads}, crop_flip_normalize_kernel<T>, p, x,
           rows, sample_ids, static_cast<T*>(y));
  });
}

}  // namespace

extern const Image image;
const Image image{crop_flip_normalize};

}  // namespace eb::kernels::EB_BACKEND
