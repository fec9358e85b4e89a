// Which banks of shared memory a warp meets when it reads the tiles of the mma kernels: the emulated device
// has none.
#define EB_EMULATED 1
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "kernels/cuda/gemm/gemm_tile.cuh"

namespace eb::test {
namespace {

using kernels::bf16;
using kernels::cuda::SharedTile;

// How often the busiest of 32 banks of 4 bytes is met by reads of `words` words at each of the element
// offsets.
template <class T, size_t n>
int busiest(const std::array<int, n>& offsets, int words) {
  std::array<int, 32> met{};
  for (const int offset : offsets)
    for (int w = 0; w < words; ++w) ++met[(offset * sizeof(T) / 4 + w) % 32];
  return *std::max_element(met.begin(), met.end());
}

// Eight rows of 16 bytes are what a matrix load takes at once.
template <class Tile, class T>
void expect_free_matrix_loads() {
  for (int row = 0; row < Tile::rows; row += 8)
    for (int column = 0; column < Tile::columns; column += Tile::piece) {
      std::array<int, 8> offsets;
      for (int i = 0; i < 8; ++i) offsets[i] = Tile::offset(row + i, column);
      EXPECT_EQ(busiest<T>(offsets, 4), 1) << row << ", " << column;
    }
}

TEST(SharedTile, matrix_loads_meet_each_bank_once) {
  expect_free_matrix_loads<SharedTile<bf16, 128, 32>, bf16>();  // K-major
  expect_free_matrix_loads<SharedTile<bf16, 32, 128>, bf16>();  // MN-major
  expect_free_matrix_loads<SharedTile<bf16, 32, 64>, bf16>();
  expect_free_matrix_loads<SharedTile<float, 128, 16>, float>();
  expect_free_matrix_loads<SharedTile<int8_t, 128, 64>, int8_t>();
}

// Lane i of a warp: step k + i % 4, column m + i / 4.
TEST(SharedTile, words_of_a_transposed_tile_meet_each_bank_once) {
  using Tile = SharedTile<float, 16, 64>;
  for (int k = 0; k < Tile::rows; k += 4)
    for (int m = 0; m < Tile::columns; m += 8) {
      std::array<int, 32> offsets;
      for (int i = 0; i < 32; ++i) offsets[i] = Tile::offset(k + i % 4, m + i / 4);
      EXPECT_EQ(busiest<float>(offsets, 1), 1) << k << ", " << m;
    }
}

}  // namespace
}  // namespace eb::test
