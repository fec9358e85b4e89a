// Fragment layouts of the emulated tensor-core instructions against plain matrix products. The layouts are
// written out here once more, from the PTX ISA's figures, so that the twin and the test must agree.
#define EB_EMULATED 1
#include "kernels/emulated/ptx.h"

#include <gtest/gtest.h>

#include <vector>

namespace eb::kernels::cuda {
namespace {

// One warp runs `body(lane)`.
void one_warp(void (*kernel)(const void*, void*), const void* in, void* out, size_t shared_bytes = 0) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    set_schedule(seed);
    launch({"one_warp", 1, 32, shared_bytes}, kernel, in, out);
  }
  set_schedule(0);
}

float small(int i) {
  return static_cast<float>(i * 29 % 17 - 8);
}

void bf16_kernel(const void*, void* out) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto a_at = [](int m, int k) { return small(m * 16 + k); };
  const auto b_at = [](int k, int n) { return small(1000 + k * 8 + n); };
  const uint32_t a[4] = {pack_bf16(a_at(g, 2 * t), a_at(g, 2 * t + 1)),
                         pack_bf16(a_at(g + 8, 2 * t), a_at(g + 8, 2 * t + 1)),
                         pack_bf16(a_at(g, 2 * t + 8), a_at(g, 2 * t + 9)),
                         pack_bf16(a_at(g + 8, 2 * t + 8), a_at(g + 8, 2 * t + 9))};
  const uint32_t b[2] = {pack_bf16(b_at(2 * t, g), b_at(2 * t + 1, g)),
                         pack_bf16(b_at(2 * t + 8, g), b_at(2 * t + 9, g))};
  float d[4] = {1, 2, 3, 4};
  multiply_bf16(d, a, b);
  float* y = static_cast<float*>(out);
  y[g * 8 + 2 * t] = d[0] - 1;
  y[g * 8 + 2 * t + 1] = d[1] - 2;
  y[(g + 8) * 8 + 2 * t] = d[2] - 3;
  y[(g + 8) * 8 + 2 * t + 1] = d[3] - 4;
}

TEST(Ptx, multiply_bf16_is_a_16_8_16_product) {
  std::vector<float> y(128, NAN);
  one_warp(bf16_kernel, nullptr, y.data());
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += small(m * 16 + k) * small(1000 + k * 8 + n);
      EXPECT_EQ(y[m * 8 + n], sum) << m << " " << n;
    }
}

void tf32_kernel(const void*, void* out) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto a_at = [](int m, int k) { return to_tf32(small(m * 8 + k)); };
  const auto b_at = [](int k, int n) { return to_tf32(small(500 + k * 8 + n)); };
  const uint32_t a[4] = {a_at(g, t), a_at(g + 8, t), a_at(g, t + 4), a_at(g + 8, t + 4)};
  const uint32_t b[2] = {b_at(t, g), b_at(t + 4, g)};
  float d[4] = {};
  multiply_tf32(d, a, b);
  float* y = static_cast<float*>(out);
  y[g * 8 + 2 * t] = d[0];
  y[g * 8 + 2 * t + 1] = d[1];
  y[(g + 8) * 8 + 2 * t] = d[2];
  y[(g + 8) * 8 + 2 * t + 1] = d[3];
}

TEST(Ptx, multiply_tf32_is_a_16_8_8_product) {
  std::vector<float> y(128, NAN);
  one_warp(tf32_kernel, nullptr, y.data());
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      float sum = 0;
      for (int k = 0; k < 8; ++k) sum += small(m * 8 + k) * small(500 + k * 8 + n);
      EXPECT_EQ(y[m * 8 + n], sum) << m << " " << n;
    }
}

int8_t byte(int i) {
  return static_cast<int8_t>(i * 83 % 255 - 127);
}

void s8_kernel(const void*, void* out) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto pack = [](auto at) {
    uint32_t r = 0;
    for (int e = 0; e < 4; ++e) r |= uint32_t{static_cast<uint8_t>(at(e))} << 8 * e;
    return r;
  };
  const auto a_at = [&](int m, int k) { return pack([=](int e) { return byte(m * 32 + k + e); }); };
  const auto b_at = [&](int k, int n) { return pack([=](int e) { return byte(7 + (k + e) * 8 + n); }); };
  const uint32_t a[4] = {a_at(g, 4 * t), a_at(g + 8, 4 * t), a_at(g, 4 * t + 16), a_at(g + 8, 4 * t + 16)};
  const uint32_t b[2] = {b_at(4 * t, g), b_at(4 * t + 16, g)};
  int32_t d[4] = {};
  multiply_s8(d, a, b);
  int32_t* y = static_cast<int32_t*>(out);
  y[g * 8 + 2 * t] = d[0];
  y[g * 8 + 2 * t + 1] = d[1];
  y[(g + 8) * 8 + 2 * t] = d[2];
  y[(g + 8) * 8 + 2 * t + 1] = d[3];
}

TEST(Ptx, multiply_s8_is_a_16_8_32_product) {
  std::vector<int32_t> y(128, -1);
  one_warp(s8_kernel, nullptr, y.data());
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < 32; ++k) sum += byte(m * 32 + k) * byte(7 + k * 8 + n);
      EXPECT_EQ(y[m * 8 + n], sum) << m << " " << n;
    }
}

struct Matrices {
  uint16_t m[4][8][8];
};

template <bool transposed>
void load_kernel(const void* in, void* out) {
  auto& s = shared<Matrices>();
  if (threadIdx.x == 0) std::memcpy(&s, in, sizeof s);
  sync_threads();
  uint32_t r[4];
  load_matrix_x4<transposed>(r, s.m[threadIdx.x / 8][threadIdx.x % 8]);
  std::memcpy(static_cast<uint32_t*>(out) + threadIdx.x * 4, r, sizeof r);
}

TEST(Ptx, load_matrix_hands_out_pairs_of_a_row_or_a_column) {
  Matrices in;
  for (int i = 0; i < 256; ++i) (&in.m[0][0][0])[i] = static_cast<uint16_t>(i * 251);
  for (const bool transposed : {false, true}) {
    std::vector<uint32_t> out(128);
    one_warp(transposed ? load_kernel<true> : load_kernel<false>, &in, out.data(), sizeof in);
    for (int lane_id = 0; lane_id < 32; ++lane_id)
      for (int m = 0; m < 4; ++m) {
        const int i = lane_id / 4, j = lane_id % 4 * 2;
        const uint32_t low = transposed ? in.m[m][j][i] : in.m[m][i][j];
        const uint32_t high = transposed ? in.m[m][j + 1][i] : in.m[m][i][j + 1];
        EXPECT_EQ(out[lane_id * 4 + m], low | high << 16);
      }
  }
}

TEST(Ptx, to_tf32_keeps_ten_mantissa_bits_and_rounds_to_nearest) {
  const auto round = [](float x) { return std::bit_cast<float>(to_tf32(x)); };
  EXPECT_EQ(round(1.f), 1.f);
  EXPECT_EQ(round(1.f + 0x1p-10f), 1.f + 0x1p-10f);
  EXPECT_EQ(round(1.f + 0x1p-11f), 1.f + 0x1p-10f);
  EXPECT_EQ(round(1.f + 0x1p-12f), 1.f);
  EXPECT_EQ(round(-1.f - 0x1p-11f), -1.f - 0x1p-10f);
  EXPECT_TRUE(std::isnan(round(NAN)));
  EXPECT_EQ(round(INFINITY), INFINITY);
}

template <int n>
void words_kernel(const void* in, void* out) {
  if (threadIdx.x != 0) return;
  uint32_t words[n];
  load_words(words, in);
  for (uint32_t& word : words) ++word;
  store_words(out, words);
}

template <int n>
void expect_words(uintptr_t alignment) {
  alignas(32) uint32_t in[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, out[12] = {};
  one_warp(words_kernel<n>, in, out);
  for (uint32_t i = 0; i < 12; ++i) EXPECT_EQ(out[i], i < n ? i + 2 : 0);
  if (alignment == 4) return;
  EXPECT_THROW(one_warp(words_kernel<n>, in + 1, out), EmulationError);
  EXPECT_THROW(one_warp(words_kernel<n>, in, out + alignment / 4 - 1), EmulationError);
}

TEST(Ptx, words_move_as_they_are_and_only_between_aligned_addresses) {
  expect_words<1>(4);
  expect_words<2>(8);
  expect_words<3>(4);
  expect_words<4>(16);
  expect_words<8>(16);
}

}  // namespace
}  // namespace eb::kernels::cuda
