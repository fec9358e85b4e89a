// Sizes of cached blocks, on the host and on a card.
#pragma once
#include <bit>
#include <cstddef>

namespace eb::engine {

// Multiples of 1/8 of the power of two below, from `least` on: at most 12.5 % is wasted, and tensors of
// nearly equal size share blocks.
inline size_t size_class(size_t bytes, size_t least) {
  if (bytes <= least) return least;
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

}  // namespace eb::engine
