// The paths of the int8 convolutions, and the scales of an operand's blocks where they factor out of the
// sums.
#pragma once
#include "kernels/conv2d_int8.h"
#include "kernels/cuda/policy/conv2d_policy.h"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

// What the codes of sample or filter i are multiplied by.
struct BlockScales {
  const int16_t* exponents;
  FastDivide by_block;  // samples or filters of a block
  int bits;
  __device__ float at(int64_t i) const {
    return float_of(block_scale(exponents[by_block.divide(static_cast<uint32_t>(i))], bits));
  }
};
// each: elements of a sample or filter.
inline BlockScales block_scales(const Conv2dInt8::Operand& o, int64_t each) {
  return {o.exponents, FastDivide(o.block / each), o.bits};
}

void clear_largest(int64_t samples, uint32_t* largest);  // <- 0

// The integer path.
void conv2d_int8_forward(const Conv2d::Params&, const Conv2dInt8::Operand& x, const Conv2dInt8::Operand& w,
                         const float* b, void* y, uint32_t* largest);
void conv2d_int8_backward_data(const Conv2d::Params&, const Conv2dInt8::Operand& dy,
                               const Conv2dInt8::Operand& w, void* dx, void* workspace);
// to (groups, C / groups, R S, K / groups) <- w; backward-data's workspace.
size_t conv2d_int8_transposed_bytes(const Conv2d::Params&);
void conv2d_int8_transpose(const Conv2d::Params&, const int8_t* w, int8_t* transposed);

// The same by wgmma, where int8_hopper_suits. transposed: w by conv2d_int8_transpose.
void conv2d_int8_forward_hopper(const Conv2d::Params&, const Conv2dInt8::Operand& x,
                                const Conv2dInt8::Operand& w, const float* b, void* y, uint32_t* largest);
void conv2d_int8_backward_data_hopper(const Conv2d::Params&, const Conv2dInt8::Operand& dy,
                                      const Conv2dInt8::Operand& w, const int8_t* transposed, void* dx);

// The exact path: expanded by the loaders, or through the workspace.
size_t conv2d_exact_workspace(const Conv2d::Params&, Conv2d::Direction);
void conv2d_exact_forward(const Conv2d::Params&, const Conv2dInt8::Forward&);
void conv2d_exact_backward_data(const Conv2d::Params&, const Conv2dInt8::BackwardData&);
void conv2d_exact_backward_weight(const Conv2d::Params&, const Conv2dInt8::BackwardWeight&);

// What of it the loaders do.
void conv2d_coded_forward(const Conv2d::Params&, const Conv2dInt8::Operand& x, const Conv2dInt8::Operand& w,
                          const float* b, void* y, uint32_t* largest);
void conv2d_coded_backward_data(const Conv2d::Params&, const Conv2dInt8::Operand& dy,
                                const Conv2dInt8::Operand& w, void* dx);
size_t conv2d_coded_backward_weight_workspace(const Conv2d::Params&);
void conv2d_coded_backward_weight(const Conv2d::Params&, const Conv2dInt8::Operand& x,
                                  const Conv2dInt8::Operand& dy, float* dw, float* db, void* workspace);

}  // namespace eb::kernels::cuda
