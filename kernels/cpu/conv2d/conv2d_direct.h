// Forward and backward-data of stride-1 convolutions by our own kernel, faster here than oneDNN's (numbers in
// the source).
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cpu {

// Whether the functions below serve the problem.
bool is_direct(const Conv2d::Params&, Conv2d::Direction);

size_t direct_workspace(const Conv2d::Params&, Conv2d::Direction);
size_t direct_packed_bytes(const Conv2d::Params&, Conv2d::Direction);
void direct_pack(const Conv2d::Params&, Conv2d::Direction, const void* w, void* packed, void* workspace);
// b is null for backward-data.
void direct_run(const Conv2d::Params&, Conv2d::Direction, const void* in, const void* packed, const float* b,
                void* out, void* workspace);

}  // namespace eb::kernels::cpu
