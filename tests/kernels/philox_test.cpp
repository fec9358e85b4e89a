// Known answers of Random123 (kat_vectors, philox4x32-10) and the helpers that turn words into numbers.
#include "kernels/philox.h"

#include <gtest/gtest.h>

namespace eb::test {
namespace {

using kernels::philox;
using kernels::Philox4;
using kernels::Stream;

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffffu;
  EXPECT_EQ(philox({ones, ones, ones, ones}, ones, ones),
            (Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EveryPartOfTheKeyMatters) {
  const Philox4 base = philox(1, Stream::crop, 2, 3);
  EXPECT_EQ(base, philox(1, Stream::crop, 2, 3));
  EXPECT_NE(base, philox(2, Stream::crop, 2, 3));
  EXPECT_NE(base, philox(1 + (uint64_t{1} << 32), Stream::crop, 2, 3));
  EXPECT_NE(base, philox(1, Stream::flip, 2, 3));
  EXPECT_NE(base, philox(1, Stream::crop, 3, 3));
  EXPECT_NE(base, philox(1, Stream::crop, 2, 4));
  EXPECT_NE(base, philox(1, Stream::crop, 2, 3 + (uint64_t{1} << 32)));
}

TEST(Philox, RangesAreHalfOpen) {
  EXPECT_EQ(kernels::uniform(0), 0.f);
  EXPECT_EQ(kernels::uniform(0xffffffffu), 1.f - 0x1p-24f);
  EXPECT_EQ(kernels::below(0, 9), 0u);
  EXPECT_EQ(kernels::below(0xffffffffu, 9), 8u);
}

}  // namespace
}  // namespace eb::test
