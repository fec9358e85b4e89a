// Forward and backward-data by oneDNN: 1x1, strided and grouped convolutions and those of very few channels.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cpu {

size_t onednn_workspace(const Conv2d::Params&, Conv2d::Direction);
size_t onednn_packed_bytes(const Conv2d::Params&, Conv2d::Direction);
void onednn_pack(const Conv2d::Params&, Conv2d::Direction, const void* w, void* packed, void* workspace);
// b is null for backward-data.
void onednn_run(const Conv2d::Params&, Conv2d::Direction, const void* in, const void* packed, const float* b,
                void* out, void* workspace);

}  // namespace eb::kernels::cpu
