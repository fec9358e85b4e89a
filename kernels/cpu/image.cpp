// Crop, flip and normalise through a table of 256 values per channel, so the formula is evaluated once per
// value.
#include "kernels/image.h"

#include <array>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"
#include "kernels/philox.h"

namespace eb::kernels::cpu {
namespace {

using Params = Image::Params;

template <class T>
using Table = std::array<std::array<T, 256>, 4>;

template <class T>
Table<T> normalized(const Params& p) {
  Table<T> table{};
  for (int64_t c = 0; c < p.c; ++c) {
    for (int v = 0; v < 256; ++v) table[c][v] = T((static_cast<float>(v) / 255.f - p.mean[c]) / p.std[c]);
  }
  return table;
}

struct View {
  int64_t top, left;  // of the crop in the unpadded image; may be negative
  bool flip;
};

View view_of(const Params& p, int64_t sample_id) {
  const int64_t free_h = p.h + 2 * p.pad - p.out_h, free_w = p.w + 2 * p.pad - p.out_w;
  const auto id = static_cast<uint64_t>(sample_id);
  View v{free_h / 2 - p.pad, free_w / 2 - p.pad, false};
  if (p.random_crop) {
    const Philox4 words = philox(p.seed, Stream::crop, p.epoch, id);
    v.top = below(words[0], static_cast<uint32_t>(free_h + 1)) - p.pad;
    v.left = below(words[1], static_cast<uint32_t>(free_w + 1)) - p.pad;
  }
  if (p.random_flip) v.flip = philox(p.seed, Stream::flip, p.epoch, id)[0] >> 31;
  return v;
}

template <class T>
void one_image(const Params& p, const View& view, const Table<T>& table, const uint8_t* x, T* y) {
  for (int64_t oh = 0; oh < p.out_h; ++oh) {
    const int64_t h = view.top + oh;
    for (int64_t ow = 0; ow < p.out_w; ++ow, y += p.c) {
      const int64_t w = view.left + (view.flip ? p.out_w - 1 - ow : ow);
      const bool inside = h >= 0 && h < p.h && w >= 0 && w < p.w;
      const uint8_t* pixel = x + (h * p.w + w) * p.c;
      for (int64_t c = 0; c < p.c; ++c) y[c] = table[c][inside ? pixel[c] : 0];
    }
  }
}

void crop_flip_normalize(const Params& p, const uint8_t* x, const int64_t* rows, const int64_t* sample_ids,
                         void* y) {
  const int64_t size_in = p.h * p.w * p.c, size_out = p.out_h * p.out_w * p.c;
  by_dtype(p.dtype, [&]<class T>() {
    const Table<T> table = normalized<T>(p);
    parallel_ranges(p.n, size_out, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        one_image(p, view_of(p, sample_ids[i]), table, x + (rows ? rows[i] : i) * size_in,
                  static_cast<T*>(y) + i * size_out);
    });
  });
}

}  // namespace

const Image image = {.crop_flip_normalize = crop_flip_normalize};

}  // namespace eb::kernels::cpu
