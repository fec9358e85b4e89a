#include "support/conv_cases.h"

namespace eb::test {

using Params = kernels::Conv2d::Params;

static ConvCase layer(const std::string& name, int64_t n, int64_t size, int64_t c, int64_t k, int64_t r,
                      int64_t stride) {
  Params p{.n = n, .h = size, .w = size, .c = c, .k = k, .r = r, .s = r};
  p.stride_h = p.stride_w = stride;
  p.pad_h = p.pad_w = r / 2;
  return {name, p};
}

std::vector<ConvCase> conv_cases() {
  // clang-format off
  return {
      {"plain_3x3", {.n = 4, .h = 8, .w = 8, .c = 16, .k = 16, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"batch_1", {.n = 1, .h = 9, .w = 7, .c = 16, .k = 8, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"odd_channels", {.n = 3, .h = 7, .w = 5, .c = 13, .k = 11, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"one_channel_to_one", {.n = 2, .h = 6, .w = 6, .c = 1, .k = 1, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"first_layer", {.n = 5, .h = 12, .w = 12, .c = 3, .k = 20, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"first_layer_wide", {.n = 3, .h = 7, .w = 9, .c = 3, .k = 64, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"few_even_channels", {.n = 2, .h = 6, .w = 7, .c = 6, .k = 72, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"groups_of_images", {.n = 2, .h = 7, .w = 5, .c = 9, .k = 24, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 3}},
      {"uneven_chunks", {.n = 37, .h = 4, .w = 4, .c = 9, .k = 17, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"stride_2", {.n = 3, .h = 9, .w = 11, .c = 16, .k = 24, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
      {"stride_2_even_size", {.n = 2, .h = 8, .w = 8, .c = 5, .k = 6, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
      {"unread_last_row", {.n = 2, .h = 8, .w = 8, .c = 8, .k = 8, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2}},
      {"stride_2_kernel_2", {.n = 3, .h = 9, .w = 7, .c = 16, .k = 24, .r = 2, .s = 2, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1}},
      {"stride_3_kernel_2", {.n = 2, .h = 11, .w = 10, .c = 8, .k = 16, .r = 2, .s = 2, .stride_h = 3, .stride_w = 3}},
      {"strides_2_and_3", {.n = 2, .h = 9, .w = 13, .c = 24, .k = 8, .r = 3, .s = 3, .stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 1}},
      {"strides_3_and_4_odd", {.n = 2, .h = 10, .w = 11, .c = 13, .k = 11, .r = 5, .s = 6, .stride_h = 3, .stride_w = 4, .pad_h = 2, .pad_w = 3}},
      {"stride_over_map", {.n = 4, .h = 1, .w = 2, .c = 8, .k = 16, .r = 3, .s = 3, .stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 2}},
      {"stride_2_padding_over_kernel", {.n = 2, .h = 5, .w = 4, .c = 8, .k = 8, .r = 2, .s = 2, .stride_h = 2, .stride_w = 2, .pad_h = 3, .pad_w = 2}},
      {"pointwise", {.n = 6, .h = 5, .w = 5, .c = 24, .k = 40, .r = 1, .s = 1}},
      {"pointwise_odd", {.n = 2, .h = 3, .w = 5, .c = 7, .k = 3, .r = 1, .s = 1}},
      {"pointwise_stride_2", {.n = 3, .h = 8, .w = 7, .c = 16, .k = 32, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}},
      {"pointwise_strides_3_and_2", {.n = 3, .h = 7, .w = 9, .c = 8, .k = 24, .r = 1, .s = 1, .stride_h = 3, .stride_w = 2, .pad_h = 1, .pad_w = 0}},
      {"pointwise_padded", {.n = 2, .h = 4, .w = 4, .c = 8, .k = 8, .r = 1, .s = 1, .pad_h = 1, .pad_w = 1}},
      {"7x7_stride_2", {.n = 2, .h = 21, .w = 21, .c = 3, .k = 16, .r = 7, .s = 7, .stride_h = 2, .stride_w = 2, .pad_h = 3, .pad_w = 3}},
      {"map_2x2", {.n = 20, .h = 2, .w = 2, .c = 40, .k = 72, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"map_3x4_odd", {.n = 8, .h = 3, .w = 4, .c = 37, .k = 43, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"map_4x4_pad_0_and_2", {.n = 7, .h = 4, .w = 4, .c = 33, .k = 35, .r = 3, .s = 3, .pad_h = 0, .pad_w = 2}},
      {"map_1x1_padded", {.n = 9, .h = 1, .w = 1, .c = 16, .k = 16, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"kernel_over_map", {.n = 2, .h = 2, .w = 3, .c = 8, .k = 8, .r = 5, .s = 5, .pad_h = 2, .pad_w = 2}},
      {"no_padding", {.n = 2, .h = 9, .w = 9, .c = 12, .k = 10, .r = 5, .s = 5}},
      {"more_padding_than_kernel", {.n = 2, .h = 4, .w = 4, .c = 8, .k = 8, .r = 3, .s = 3, .pad_h = 3, .pad_w = 3}},
      {"asymmetric", {.n = 2, .h = 10, .w = 8, .c = 10, .k = 12, .r = 1, .s = 5, .stride_h = 2, .stride_w = 1, .pad_h = 0, .pad_w = 2}},
      {"asymmetric_tall", {.n = 2, .h = 8, .w = 10, .c = 16, .k = 12, .r = 5, .s = 2, .stride_h = 1, .stride_w = 3, .pad_h = 2, .pad_w = 1}},
      {"groups", {.n = 3, .h = 6, .w = 6, .c = 24, .k = 36, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1, .groups = 3}},
      {"groups_of_lanes", {.n = 2, .h = 6, .w = 6, .c = 32, .k = 32, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 2}},
      {"groups_strides_2_and_1", {.n = 2, .h = 7, .w = 9, .c = 24, .k = 48, .r = 3, .s = 3, .stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 1, .groups = 3}},
      {"groups_pointwise", {.n = 2, .h = 6, .w = 6, .c = 32, .k = 16, .r = 1, .s = 1, .groups = 2}},
      {"depthwise", {.n = 2, .h = 7, .w = 7, .c = 10, .k = 10, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1, .groups = 10}},
      {"wide_map", {.n = 2, .h = 5, .w = 300, .c = 8, .k = 7, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"several_tiles", {.n = 3, .h = 10, .w = 10, .c = 40, .k = 72, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
      {"several_blocks", {.n = 6, .h = 20, .w = 20, .c = 80, .k = 70, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
  };
  // clang-format on
}

static std::vector<ConvCase> vgg16_of_width(const std::string& name, int64_t n, int64_t width) {
  std::vector<ConvCase> all;
  const auto add = [&](int64_t c, int64_t k, int64_t size) {
    const std::string channels = std::to_string(c) + "_" + std::to_string(k);
    all.push_back(layer(name + "_" + channels + "_h" + std::to_string(size), n, size, c, k, 3, 1));
  };
  add(3, width, 32), add(width, width, 32);
  add(width, 2 * width, 16), add(2 * width, 2 * width, 16);
  add(2 * width, 4 * width, 8), add(4 * width, 4 * width, 8);
  add(4 * width, 8 * width, 4), add(8 * width, 8 * width, 4), add(8 * width, 8 * width, 2);
  return all;
}

std::vector<ConvCase> vgg16_convs(int64_t n) {
  return vgg16_of_width("vgg16", n, 64);
}

std::vector<ConvCase> vgg16_quarter_convs(int64_t n) {
  return vgg16_of_width("vgg16_quarter", n, 16);
}

std::vector<ConvCase> preresnet101_convs(int64_t n) {
  std::vector<ConvCase> all = {layer("pre101_3_16_h32", n, 32, 3, 16, 3, 1),
                               layer("pre101_16_16_h32_1x1", n, 32, 16, 16, 1, 1)};
  int64_t in = 16;
  for (int64_t width = 16, size = 32; width <= 64; width *= 2, size /= 2) {
    const std::string w = std::to_string(width), out = std::to_string(4 * width);
    const std::string h = "_h" + std::to_string(size);
    const int64_t stride = width == 16 ? 1 : 2;
    const int64_t from = size * stride;
    all.push_back(layer("pre101_shortcut_" + out + h, n, from, in, 4 * width, 1, stride));
    all.push_back(layer("pre101_first_" + w + h + "_3x3", n, from, width, width, 3, stride));
    all.push_back(layer("pre101_" + w + "_" + w + h + "_3x3", n, size, width, width, 3, 1));
    all.push_back(layer("pre101_" + w + "_" + out + h + "_1x1", n, size, width, 4 * width, 1, 1));
    all.push_back(layer("pre101_" + out + "_" + w + h + "_1x1", n, size, 4 * width, width, 1, 1));
    in = 4 * width;
  }
  return all;
}

std::vector<ConvCase> resnet18_convs(int64_t n) {
  std::vector<ConvCase> all = {layer("resnet18_3_64_h224_7x7", n, 224, 3, 64, 7, 2)};
  for (int64_t width = 64, size = 56; width <= 512; width *= 2, size /= 2) {
    const std::string tag = std::to_string(width) + "_h" + std::to_string(size);
    all.push_back(layer("resnet18_" + tag, n, size, width, width, 3, 1));
    if (width == 64) continue;
    all.push_back(layer("resnet18_stride2_" + tag, n, 2 * size, width / 2, width, 3, 2));
    all.push_back(layer("resnet18_shortcut_" + tag, n, 2 * size, width / 2, width, 1, 2));
  }
  return all;
}

}  // namespace eb::test
