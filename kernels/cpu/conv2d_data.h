// Forward and backward-data by oneDNN: both read an activation and packed weights and write an activation.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cpu {

size_t data_workspace(const Conv2d::Params&, Conv2d::Direction);
size_t data_packed_bytes(const Conv2d::Params&, Conv2d::Direction);
void data_pack(const Conv2d::Params&, Conv2d::Direction, const void* w, void* packed);
// b is null for backward-data.
void data_run(const Conv2d::Params&, Conv2d::Direction, const void* in, const void* packed, const float* b,
              void* out, void* workspace);

}  // namespace eb::kernels::cpu
