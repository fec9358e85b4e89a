// The order of reduction_tree(n) (kernels/tree_sum.h), the same on every device: a binary counter of finished
// subtrees. Every index of `levels` is known to the compiler, so they are registers.
#pragma once

namespace eb::kernels {

inline constexpr int tree_block = 8;   // leaves of the smallest subtree that is counted
inline constexpr int most_levels = 7;  // subtrees of 8, 16, ..., 512 leaves

// The sum of N leaves from `first` on, N a power of two.
template <int N, class Leaf>
constexpr auto full_tree(int first, const Leaf& leaf) {
  if constexpr (N == 1)
    return leaf(first);
  else {
    const auto left = full_tree<N / 2>(first, leaf), right = full_tree<N / 2>(first + N / 2, leaf);
    return left + right;
  }
}

// Takes in v, the sum of block number `block`.
template <int level, class V, int depth>
constexpr void count_up(int block, V v, V (&levels)[depth]) {
  if constexpr (level < depth) {
    if (block >> level & 1)
      count_up<level + 1>(block, levels[level] + v, levels);
    else
      levels[level] = v;
  }
}

// What n % 8 leaves from `first` on add up to, joined to what follows them.
template <int N, class V, class Leaf>
constexpr void join_rest(int n, int first, const Leaf& leaf, V& sum, bool& any) {
  if constexpr (N > 0) {
    join_rest<N / 2>(n, first + (n & N), leaf, sum, any);
    if (n & N) {
      const V left = full_tree<N>(first, leaf);
      sum = any ? left + sum : left;
      any = true;
    }
  }
}

template <int level, class V, int depth>
constexpr void join_levels(int blocks, const V (&levels)[depth], V& sum, bool& any) {
  if constexpr (level < depth) {
    if (blocks >> level & 1) {
      sum = any ? levels[level] + sum : levels[level];
      any = true;
    }
    join_levels<level + 1>(blocks, levels, sum, any);
  }
}

// leaf(i) for i in [0, n), added as reduction_tree(n) adds them; n from 1 to 8 * 2^depth - 1.
template <class V, int depth = most_levels, class Leaf>
constexpr V tree_sum_of(int n, const Leaf& leaf) {
  V levels[depth]{}, sum{};
  const int blocks = n / tree_block;
  for (int b = 0; b < blocks; ++b) count_up<0>(b, full_tree<tree_block>(b * tree_block, leaf), levels);
  bool any = false;
  join_rest<tree_block / 2>(n % tree_block, blocks * tree_block, leaf, sum, any);
  join_levels<0>(blocks, levels, sum, any);
  return sum;
}

}  // namespace eb::kernels
