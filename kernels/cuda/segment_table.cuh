// Tensors of an arena in a table that is passed to a kernel by value: a block of threads finds its own.
#pragma once
#include "kernels/cuda/platform/platform.cuh"

namespace eb::kernels::cuda {

// The last segment that starts at or before this block, of table.count with their first blocks ascending.
template <class Table>
__device__ int segment_of_block(const Table& table) {
  int s = 0;
  for (int end = table.count; end - s > 1;) {
    const int middle = (s + end) / 2;
    (table.first_block[middle] <= blockIdx.x ? s : end) = middle;
  }
  return s;
}

}  // namespace eb::kernels::cuda
