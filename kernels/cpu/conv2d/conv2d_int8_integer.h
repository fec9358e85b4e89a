// The integer path of kernels/conv2d_int8.h. The calls take what Conv2dInt8 takes; the workspace is their
// own.
#pragma once
#include <bit>

#include "kernels/conv2d_int8.h"

namespace eb::kernels::cpu {

// What the codes of the block that holds an element are multiplied by.
inline float scale_at(const Conv2dInt8::Operand& a, int64_t element) {
  return std::bit_cast<float>(block_scale(a.exponents[element / a.block], a.bits));
}

// Sums of codes for y (forward) or dx (backward_data), scaled and with b (may be null) added. largest may be
// null.
size_t integer_workspace(const Conv2d::Params&, Conv2d::Direction);
void integer_run(const Conv2d::Params&, Conv2d::Direction, const Conv2dInt8::Operand& in,
                 const Conv2dInt8::Operand& w, const float* b, void* out, uint32_t* largest, void* workspace);

size_t integer_weight_workspace(const Conv2d::Params&);
void integer_weight_gradient(const Conv2d::Params&, const Conv2dInt8::Operand& x,
                             const Conv2dInt8::Operand& dy, float* dw, float* db, void* workspace);

}  // namespace eb::kernels::cpu
