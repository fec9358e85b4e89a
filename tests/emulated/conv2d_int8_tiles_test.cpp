// The int8 convolutions against plain integer sums, bit for bit: every tile and copy width of mma.sync,
// blocks per sample and filter, both outputs. Small shapes: a fiber switch costs 50 ns.
#define EB_EMULATED 1
#include "emulated/int8_exact.h"
#include "kernels/emulated/device_limits.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::DType;
using Direction = Conv2d::Direction;
using Path = ConvInt8::Path;

struct Int8Case {
  const char* name;
  Conv2d::Params p;
  int64_t processors = 1;
};

// Columns above 64 take the large tile, above 0 the medium one where copies are wide; 200 rows are two tiles.
const Int8Case cases[] = {
    {"large_1x1", {.n = 2, .h = 10, .w = 10, .c = 32, .k = 144, .r = 1, .s = 1}},
    {"large_3x3", {.n = 1, .h = 12, .w = 12, .c = 16, .k = 80, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"large_strided_input",
     {.n = 2, .h = 19, .w = 17, .c = 80, .k = 16, .r = 3, .s = 2, .stride_h = 2, .stride_w = 2, .pad_h = 1}},
    {"medium_groups",
     {.n = 2,
      .h = 10,
      .w = 10,
      .c = 32,
      .k = 64,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 2}},
    {"small_tile", {.n = 3, .h = 7, .w = 5, .c = 80, .k = 48, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}, 132},
    {"copies_of_four", {.n = 5, .h = 4, .w = 4, .c = 12, .k = 20, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"image", {.n = 2, .h = 6, .w = 6, .c = 3, .k = 10, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"odd_everything",
     {.n = 3,
      .h = 5,
      .w = 7,
      .c = 10,
      .k = 14,
      .r = 2,
      .s = 3,
      .stride_h = 1,
      .stride_w = 3,
      .pad_h = 1,
      .pad_w = 2,
      .groups = 2}},
    {"one_pixel_a_sample", {.n = 70, .h = 1, .w = 1, .c = 16, .k = 24, .r = 1, .s = 1}},
};

class Conv2dInt8Tiles : public testing::TestWithParam<std::tuple<Int8Case, DType, TestDevice>> {
 protected:
  const kernels::emulated::LimitsScope limits{{.processors = std::get<0>(GetParam()).processors}};
  const TestDevice& on() const { return std::get<2>(GetParam()); }
  Conv2d::Params params() const {
    Conv2d::Params p = std::get<0>(GetParam()).p;
    p.dtype = std::get<1>(GetParam());
    return p;
  }

  Conv2d::Params p = params();
  ConvInt8 conv{p};
  ConvInt8Oracle oracle{p};
  int64_t x_size = oracle.sums.x_size(), w_size = oracle.sums.w_size(), y_size = oracle.sums.y_size();
};

TEST_P(Conv2dInt8Tiles, integer_forward_is_the_oracles_bits) {
  const DeviceScope scope(on());
  const Blocks x = Blocks::random(x_size, x_size / p.n, 1), w = Blocks::random(w_size, w_size / p.k, 2, 7);
  ASSERT_TRUE(conv.has_integer(Direction::forward, x.block, w.block));
  for (const Floats& b : {to_floats(normal(p.k, 4)), Floats{}}) {
    const ConvInt8::Output got = conv.forward(Path::integer, x, w, b);
    EXPECT_TRUE(got.y == oracle.forward(x, w, b)) << "y";
    EXPECT_EQ(got.largest, oracle.largest(got.y));
  }
}

// One block for all samples, and for all filters.
TEST_P(Conv2dInt8Tiles, integer_forward_of_whole_tensors) {
  const DeviceScope scope(on());
  const Blocks x = Blocks::random(x_size, x_size, 1), w = Blocks::random(w_size, w_size, 2);
  EXPECT_TRUE(conv.forward(Path::integer, x, w, {}).y == oracle.forward(x, w, {})) << "y";
}

TEST_P(Conv2dInt8Tiles, integer_backward_data_is_the_oracles_bits) {
  const DeviceScope scope(on());
  const Blocks dy = Blocks::random(y_size, y_size / p.n, 3), w = Blocks::random(w_size, w_size, 2);
  ASSERT_TRUE(conv.has_integer(Direction::backward_data, dy.block, w.block));
  EXPECT_TRUE(conv.backward_data(Path::integer, dy, w) == oracle.backward_data(dy, w));
}

// Blocks that cut rows and filters anyhow: in eights where channels are (wide copies), and not.
TEST_P(Conv2dInt8Tiles, exact_path_sums_the_numbers) {
  const DeviceScope scope(on());
  for (const bool narrow : {false, true}) {
    SCOPED_TRACE(narrow);
    expect_exact(conv, Blocks::random(x_size, p.w * p.c, 1),
                 Blocks::random(w_size, narrow ? 2 : p.c / p.groups, 2, 5), Blocks::random(y_size, p.k, 3));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dInt8Tiles,
                         testing::Combine(testing::ValuesIn(cases), testing::Values(DType::f32, DType::bf16),
                                          testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  name_of(std::get<1>(info.param)) + "_" + std::get<2>(info.param).name();
                         });

}  // namespace
}  // namespace eb::test
