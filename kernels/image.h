// uint8 images to normalised network input: zero-pad, crop at a random offset, mirror, (x / 255 - mean) /
// std. Random numbers are keyed by (seed, epoch, sample id): the result does not depend on batch, worker or
// thread.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Image {
  struct Params {
    DType dtype = DType::f32;  // of y
    int64_t n, h, w, c;        // images of (H, W, C) uint8, c <= 4
    int64_t out_h, out_w;      // y (N, out_h, out_w, C); without crop equal to h, w
    int64_t pad = 0;           // zero rows added on each side before the crop (zero is uint8 0)
    bool random_crop = false;  // offset y then x from Stream::crop words 0 and 1; otherwise the centre
    bool random_flip = false;  // word 0 of Stream::flip, mirrored if its top bit is set
    float mean[4] = {0, 0, 0, 0}, std[4] = {1, 1, 1, 1};
    uint64_t seed = 0;
    uint32_t epoch = 0;
  };
  // Image i of the batch is x[rows[i]], of a data set that lies in memory as a whole, or x[i] if rows is
  // null.
  void (*crop_flip_normalize)(const Params&, const uint8_t* x, const int64_t* rows, const int64_t* sample_ids,
                              void* y);
};

namespace cpu {
extern const Image image;
}
namespace cuda {
extern const Image image;
}
inline const Image& image(Device d) {
  return pick<cpu::image, cuda::image>(d);
}

}  // namespace eb::kernels
