// dw and db of the exact path (conv2d_coded.cuh).
#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/conv2d/conv2d_coded.cuh"
#include "kernels/cuda/conv2d/conv2d_weight_gemm.cuh"

namespace eb::kernels::cuda {

using Operand = Conv2dInt8::Operand;

namespace {

// f.operator()<dy_width, x_width, Tile>(): as conv2d_backward_weight.cu chooses them.
template <class F>
void by_coded_shape(const Conv2d::Params& p, const Operand& x, const Operand& dy, F&& f) {
  const int64_t k = p.k / p.groups;
  if (!in_eights(dy, k)) return f.template operator()<1, 1, SmallTile>();
  if (!in_eights(x, p.c / p.groups)) return f.template operator()<8, 1, SmallTile>();
  k > 64 ? f.template operator()<8, 8, MediumTile>() : f.template operator()<8, 8, SmallTile>();
}

// The blocks are not known where the workspace is asked for: enough for either tile.
int64_t most_weight_slices(const Conv2d::Params& p, const DeviceLimits& limits) {
  const int64_t small = split<Bf16Math, SmallTile>(p, limits).slices,
                medium = split<Bf16Math, MediumTile>(p, limits).slices;
  return small > medium ? small : medium;
}

}  // namespace

size_t conv2d_coded_backward_weight_workspace(const Conv2d::Params& p) {
  const size_t partial =
      static_cast<size_t>(most_weight_slices(p, device_limits()) * weights_of(p)) * sizeof(float);
  const size_t bias = column_sum_workspace(pixels_of(p), p.k);
  return partial > bias ? partial : bias;
}

void conv2d_coded_backward_weight(const Conv2d::Params& p, const Operand& x, const Operand& dy, float* dw,
                                  float* db, void* workspace) {
  if (db) column_sum(dy, pixels_of(p), p.k, db, workspace);
  by_coded_shape(p, x, dy, [&]<int dy_width, int x_width, class Tile>() {
    const int64_t slices = split<Bf16Math, Tile>(p, device_limits()).slices;
    float* out = slices > 1 ? static_cast<float*>(workspace) : dw;
    multiply_weights<Bf16Math, Coded, dy_width, x_width, Tile>(p, CodePointer(x), CodePointer(dy), out);
    if (slices > 1) sum_slices(weights_of(p), slices, static_cast<const float*>(workspace), dw);
  });
}

}  // namespace eb::kernels::cuda
