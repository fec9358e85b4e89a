// Depthwise convolutions and those of narrow groups by our own kernels, in all three directions: vectors run
// over channels, and a group costs the products that it has (numbers in the source).
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cpu {

// Whether the functions below serve the problem.
bool is_grouped(const Conv2d::Params&, Conv2d::Direction);

// Of the activations; the weight gradient reads nothing packed.
size_t grouped_workspace(const Conv2d::Params&, Conv2d::Direction);
size_t grouped_packed_bytes(const Conv2d::Params&, Conv2d::Direction);
void grouped_pack(const Conv2d::Params&, Conv2d::Direction, const void* w, void* packed, void* workspace);
// b is null for backward-data.
void grouped_run(const Conv2d::Params&, Conv2d::Direction, const void* in, const void* packed, const float* b,
                 void* out, void* workspace);
size_t grouped_weight_workspace(const Conv2d::Params&);
void grouped_weight_gradient(const Conv2d::Params&, const void* x, const void* dy, float* dw,
                             void* workspace);

}  // namespace eb::kernels::cpu
