// `bench kernels`: depthwise convolutions (a cell of CIFAR size, MobileNet's layers) and grouped ones, each
// of these beside the dense convolution of the same channels. Bound by bytes on a card.
#include <fmt/format.h>

#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::Conv2d;

namespace {

struct Shape {
  int64_t map, channels, kernel, stride;
  int64_t groups, multiplier = 1;
};

Shape depthwise(int64_t map, int64_t channels, int64_t kernel, int64_t stride, int64_t multiplier = 1) {
  return {map, channels, kernel, stride, channels, multiplier};
}

Conv2d::Params params(const BenchCasesConfig& config, const Shape& s, int64_t batch) {
  return {.dtype = config.dtype,
          .n = batch,
          .h = s.map,
          .w = s.map,
          .c = s.channels,
          .k = s.channels * s.multiplier,
          .r = s.kernel,
          .s = s.kernel,
          .stride_h = s.stride,
          .stride_w = s.stride,
          .pad_h = s.kernel / 2,
          .pad_w = s.kernel / 2,
          .groups = s.groups};
}

std::string grouped_name(const Shape& s, const char* kind) {
  return fmt::format("{}{} {}x{} {}x{}x{} s{}{}", kind,
                     s.groups == s.channels || s.groups == 1 ? "" : fmt::format(" of {}", s.groups), s.kernel,
                     s.kernel, s.map, s.map, s.channels, s.stride,
                     s.multiplier > 1 ? fmt::format(" times {}", s.multiplier) : "");
}

void add_shape(const BenchCasesConfig& config, const Shape& s, const char* kind, int64_t batch,
               std::vector<LazyCase>& cases) {
  const NamedConv conv{grouped_name(s, kind), params(config, s, batch)};
  for (const Conv2d::Direction d : directions) add_conv_case(config, conv, d, cases);
}

}  // namespace

void add_grouped_convs(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const Shape of_cifar[] = {depthwise(32, 64, 3, 1),   depthwise(16, 128, 3, 1), depthwise(16, 256, 3, 1),
                            depthwise(8, 512, 3, 1),   depthwise(4, 512, 3, 1),  depthwise(32, 64, 5, 1),
                            depthwise(16, 256, 5, 1),  depthwise(8, 512, 5, 1),  depthwise(32, 64, 3, 2),
                            depthwise(16, 256, 3, 2),  depthwise(32, 64, 5, 2),  depthwise(32, 37, 3, 1),
                            depthwise(32, 32, 3, 1, 2)};
  for (const Shape& s : of_cifar) add_shape(config, s, "depthwise", config.batch_cifar, cases);
  // MobileNetV2, and what MobileNetV3 has of 5x5.
  const Shape of_mobilenet[] = {depthwise(112, 32, 3, 1), depthwise(112, 96, 3, 2), depthwise(56, 144, 3, 1),
                                depthwise(56, 144, 3, 2), depthwise(28, 192, 3, 1), depthwise(28, 240, 5, 1),
                                depthwise(28, 192, 3, 2), depthwise(14, 384, 3, 1), depthwise(14, 576, 3, 2),
                                depthwise(14, 672, 5, 2), depthwise(7, 960, 3, 1),  depthwise(7, 960, 5, 1)};
  for (const Shape& s : of_mobilenet) add_shape(config, s, "mobilenet", config.batch_imagenet, cases);
  const Shape grouped[] = {{32, 64, 3, 1, 32},  {32, 64, 3, 2, 32},  {32, 128, 3, 1, 32}, {16, 256, 3, 1, 32},
                           {16, 256, 3, 2, 32}, {8, 512, 3, 1, 32},  {16, 256, 3, 1, 8},  {16, 256, 3, 1, 4},
                           {16, 256, 3, 1, 2},  {16, 256, 1, 1, 32}, {16, 256, 1, 1, 4},  {32, 96, 3, 1, 8}};
  for (Shape s : grouped) {
    add_shape(config, s, "grouped", config.batch_cifar, cases);
    s.groups = 1;
    add_shape(config, s, "dense", config.batch_cifar, cases);
  }
}

}  // namespace eb::tools
