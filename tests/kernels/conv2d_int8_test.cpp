// Convolutions of block floating point tensors over the cases of the op table: the integer path against sums
// of integers, bit for bit; the exact path, and weight gradients of both, against the double oracle.
#include "kernels/conv2d_int8.h"

#include <tuple>

#include "support/conv_cases.h"
#include "support/conv_int8_calls.h"
#include "support/oracle_conv_int8.h"

namespace eb::test {
namespace {

using kernels::DType;
using Params = kernels::Conv2d::Params;
using Direction = ConvInt8::Direction;
using Path = ConvInt8::Path;

struct BlockSizes {
  int64_t first, second;
};

class Conv2dInt8Case : public testing::TestWithParam<std::tuple<ConvCase, DType>> {
 protected:
  void SetUp() override {
    if (test_device().emulated() && std::get<0>(GetParam()).flops() > 2e7)
      GTEST_SKIP() << "too many operations for the emulated device";
  }
  static Params with(Params p, DType dtype) {
    p.dtype = dtype;
    p.deterministic = true;
    return p;
  }
  Blocks x_blocks(int64_t block) const { return Blocks::random(numbers.x_size(), block, 1); }
  Blocks w_blocks(int64_t block) const { return Blocks::random(numbers.w_size(), block, 2); }
  Blocks dy_blocks(int64_t block) const { return Blocks::random(numbers.y_size(), block, 3); }
  // Blocks of which this device has the integer path: a sample or filter each, or everything in one.
  std::vector<BlockSizes> integer_blocks(Direction d) const {
    const int64_t x = numbers.x_size(), y = numbers.y_size(), w = numbers.w_size();
    std::vector<BlockSizes> all;
    if (d == Direction::forward) all = {{x / p.n, w / p.k}, {x, w / p.k}, {x / p.n, w}, {x, w}};
    if (d == Direction::backward_data) all = {{y / p.n, w}, {y, w}};
    if (d == Direction::backward_weight) all = {{x / p.n, y / p.n}, {x, y / p.n}, {x / p.n, y}, {x, y}};
    std::erase_if(all, [&](const BlockSizes& b) { return !conv.has_integer(d, b.first, b.second); });
    return all;
  }
  void expect_gradients(const std::pair<Floats, Floats>& got, const Blocks& x, const Blocks& dy) const {
    const Doubles xs = x.values(), ds = dy.values();
    const double once = rounding(DType::f32);
    expect_sum(to_doubles(got.first), numbers.backward_weight(xs, ds),
               numbers.backward_weight(absolute(xs), absolute(ds)), once, "dw");
    expect_sum(to_doubles(got.second), numbers.backward_bias(ds), numbers.backward_bias(absolute(ds)), once,
               "db");
  }

  Params p = with(std::get<0>(GetParam()).p, std::get<1>(GetParam()));
  ConvInt8 conv{p};
  ConvOracle numbers{p};
  ConvInt8Oracle integers{p};
  Floats b = to_floats(normal(p.k, 4));
};

TEST_P(Conv2dInt8Case, integer_forward_is_the_oracle) {
  bool with_bias = true;
  for (const BlockSizes& size : integer_blocks(Direction::forward)) {
    const Blocks x = x_blocks(size.first), w = w_blocks(size.second);
    const Floats& bias = with_bias ? b : Floats{};
    const auto got = conv.forward(Path::integer, x, w, bias);
    const Values want = integers.forward(x, w, bias);
    EXPECT_TRUE(got.y == want) << "blocks of " << size.first << ", " << size.second;
    EXPECT_EQ(got.largest, integers.largest(want));
    with_bias = !with_bias;
  }
}

TEST_P(Conv2dInt8Case, integer_backward_data_is_the_oracle) {
  for (const BlockSizes& size : integer_blocks(Direction::backward_data)) {
    const Blocks dy = dy_blocks(size.first), w = w_blocks(size.second);
    EXPECT_TRUE(conv.backward_data(Path::integer, dy, w) == integers.backward_data(dy, w))
        << "blocks of " << size.first << ", " << size.second;
  }
}

TEST_P(Conv2dInt8Case, integer_backward_weight_matches_the_oracle) {
  for (const BlockSizes& size : integer_blocks(Direction::backward_weight)) {
    const Blocks x = x_blocks(size.first), dy = dy_blocks(size.second);
    expect_gradients(conv.backward_weight(Path::integer, x, dy), x, dy);
  }
}

// Blocks of any shape: one element, the channels of a pixel, a sample or filter, everything.
TEST_P(Conv2dInt8Case, exact_forward_matches_the_oracle) {
  const int64_t x_size = numbers.x_size(), w_size = numbers.w_size();
  for (const BlockSizes& size :
       {BlockSizes{1, 1}, {p.c, p.c / p.groups}, {x_size / p.n, w_size / p.k}, {x_size, w_size}}) {
    const Blocks x = x_blocks(size.first), w = w_blocks(size.second);
    const Doubles xs = x.values(), ws = w.values(), bs = to_doubles(b);
    const auto got = conv.forward(Path::exact, x, w, b);
    expect_sum(got.y.get(), numbers.forward(xs, ws, bs),
               numbers.forward(absolute(xs), absolute(ws), absolute(bs)), rounding(p.dtype), "y");
    EXPECT_EQ(got.largest, integers.largest(got.y));
  }
}

TEST_P(Conv2dInt8Case, exact_backward_matches_the_oracle) {
  const int64_t x_size = numbers.x_size(), w_size = numbers.w_size(), y_size = numbers.y_size();
  for (const bool whole : {false, true}) {
    const Blocks dy = dy_blocks(whole ? y_size : 1), x = x_blocks(whole ? x_size : p.c);
    const Blocks w = w_blocks(whole ? w_size : w_size / p.k);
    const Doubles ds = dy.values(), ws = w.values();
    expect_sum(conv.backward_data(Path::exact, dy, w).get(), numbers.backward_data(ds, ws),
               numbers.backward_data(absolute(ds), absolute(ws)), rounding(p.dtype), "dx");
    expect_gradients(conv.backward_weight(Path::exact, x, dy), x, dy);
  }
}

TEST_P(Conv2dInt8Case, integer_matches_exact) {
  const auto sizes = integer_blocks(Direction::forward);
  if (sizes.empty()) GTEST_SKIP() << "no integer path of this shape on this device";
  const Blocks x = x_blocks(sizes[0].first), w = w_blocks(sizes[0].second);
  expect_sum(conv.forward(Path::integer, x, w, {}).y.get(), conv.forward(Path::exact, x, w, {}).y.get(),
             numbers.forward(absolute(x.values()), absolute(w.values()), {}), 2 * rounding(p.dtype), "y");
}

TEST_P(Conv2dInt8Case, same_bits_for_any_threads_or_schedule) {
  const Blocks x = x_blocks(numbers.x_size() / p.n), dy = dy_blocks(numbers.y_size() / p.n);
  const Blocks rows = w_blocks(numbers.w_size() / p.k), w = w_blocks(numbers.w_size());
  for (const Path path : {Path::exact, Path::integer}) {
    const auto has = [&](Direction d, const Blocks& first, const Blocks& second) {
      return path == Path::exact || conv.has_integer(d, first.block, second.block);
    };
    const Values nothing(p.dtype, 0);
    expect_same_bits_everywhere(test_device(), [&] {
      return std::tuple(
          has(Direction::forward, x, rows) ? conv.forward(path, x, rows, b) : ConvInt8::Output{nothing, {}},
          has(Direction::backward_data, dy, w) ? conv.backward_data(path, dy, w) : nothing,
          has(Direction::backward_weight, x, dy) ? conv.backward_weight(path, x, dy)
                                                 : std::pair<Floats, Floats>{});
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dInt8Case,
                         testing::Combine(testing::ValuesIn(conv_cases()),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string("case_") + std::get<0>(info.param).name + "_" +
                                  name_of(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace eb::test
