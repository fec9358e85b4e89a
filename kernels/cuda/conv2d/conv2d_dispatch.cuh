// From run-time parameters to template arguments: arithmetic, copy width and tile, once per call.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/gemm/gemm_tile.cuh"
#include "kernels/cuda/policy/conv2d_policy.h"

namespace eb::kernels::cuda {

// f.operator()<Math, width>(): width is the widest copy that both channel counts of a group allow.
template <class F>
void by_math_and_width(const Conv2d::Params& p, F&& f) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups;
  const auto both = [&](int64_t n) { return c % n == 0 && k % n == 0; };
  if (p.dtype == DType::bf16) {
    if (both(8)) return f.template operator()<Bf16Math, 8>();
    if (both(2)) return f.template operator()<Bf16Math, 2>();
    return f.template operator()<Bf16Math, 1>();
  }
  if (p.tf32)
    both(4) ? f.template operator()<Tf32Math, 4>() : f.template operator()<Tf32Math, 1>();
  else
    both(4) ? f.template operator()<F32Math, 4>() : f.template operator()<F32Math, 1>();
}

// f.operator()<Tile>() for an (m, n) result, as the policy chooses.
template <class Math, int width, class F>
void by_tile(const DeviceLimits& limits, int64_t m, int64_t n, int64_t groups, F&& f) {
  constexpr bool wide = width * sizeof(typename Math::T) == 16;
  switch (mma_launch({m, n, 1, 0, 0, groups}, limits, 2, wide).tile) {
    case ConvTile::mma_128x128:
      if constexpr (wide) return f.template operator()<LargeTile>();
      break;
    case ConvTile::mma_128x64:
      if constexpr (wide) return f.template operator()<MediumTile>();
      break;
    default:
      break;
  }
  f.template operator()<SmallTile>();
}

}  // namespace eb::kernels::cuda
