#include "support/conv_cases.h"

namespace eb::test {

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

}  // namespace eb::test
