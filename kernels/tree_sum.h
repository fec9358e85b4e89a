// Sums over shards and ranks, in an order that does not depend on how many ranks there are: reduction_tree(n)
// splits [0, n) at the largest power of two below n, recurses and adds left + right in fp32.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

// count is a multiple of 16, arrays begin at multiples of 16 bytes.
struct TreeSum {
  static constexpr int most = 1023;  // n
  // x (n, count) -> y (count), which may be a row of x; n from 1 on.
  void (*slices)(int n, int64_t count, const float* x, float* y);
  void (*merge)(int64_t count, float* left, const float* right);  // left (count) = left + right
};

namespace cpu {
extern const TreeSum tree_sum;
}
namespace cuda {
extern const TreeSum tree_sum;
}
inline const TreeSum& tree_sum(Device d) {
  return pick<cpu::tree_sum, cuda::tree_sum>(d);
}

}  // namespace eb::kernels
