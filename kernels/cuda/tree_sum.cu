// A thread adds 16 bytes of every row; several rows are loaded before the first addition.
#include "kernels/tree_sum.h"

#include "kernels/cuda/vector.cuh"
#include "kernels/elementwise.h"
#include "kernels/tree_order.h"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256, width = 4;

struct Floats {
  float v[width];
  friend constexpr Floats operator+(const Floats& a, const Floats& b) {
    return {{a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]}};
  }
};

// Few rows need few registers, which leaves room for more threads: they have the fewest loads each.
template <int depth>
__global__ void tree_sum_kernel(int n, int64_t count, const float* x, float* y) {
  const int64_t at = (int64_t{blockIdx.x} * threads + threadIdx.x) * width;
  if (at >= count) return;
  const Floats sum = tree_sum_of<Floats, depth>(n, [=](int row) {
    Floats f;
    load_floats(x + row * count + at, f.v);
    return f;
  });
  store_floats(y + at, sum.v);
}

void slices(int n, int64_t count, const float* x, float* y) {
  if (count == 0) return;
  launch({"tree_sum", blocks_for(count, threads * width), threads},
         n < 2 * tree_block ? tree_sum_kernel<1> : tree_sum_kernel<most_levels>, n, count, x, y);
}

void merge(int64_t count, float* left, const float* right) {
  elementwise.add({DType::f32, count}, left, right, left);
}

}  // namespace

const TreeSum tree_sum{.slices = slices, .merge = merge};

}  // namespace eb::kernels::cuda
