// Scaling and cropping as PIL and torchvision do them, to the last bit: bilinear with antialiasing (a
// triangle whose width grows with the reduction), 8-bit fixed point, horizontal pass first.
#pragma once
#include <cstdint>

#include "data/image.h"

namespace eb::data {

struct Box {
  int left, top, width, height;
  bool operator==(const Box&) const = default;
};

// The part `box` of `image` scaled to out (height, width, 3); pixels outside the box do not count.
void resize(const Image& image, const Box& box, int width, int height, uint8_t* out);

// torchvision's Resize(short_side) then CenterCrop(size), size <= short_side. Memory for the crop only,
// however long the picture.
Image resize_and_center_crop(const Image& image, int short_side, int size);

// torchvision's RandomResizedCrop: area 0.08..1 of the image, ratio 3/4..4/3, ten tries, else the centre.
// Drawn from Stream::resized_crop for (seed, epoch, sample id).
Box random_resized_crop(int width, int height, uint64_t seed, int64_t epoch, int64_t sample_id);

}  // namespace eb::data
