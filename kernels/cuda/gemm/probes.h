// What the manuals leave open and the kernels rest on, asked of the card itself (CardProbe in test_kernels).
#pragma once
#include <cstdint>

namespace eb::kernels::cuda {

// out (1) <- 1 + 1.5 * 2^-24 as a tensor core adds it: 1 if it rounds toward zero, 1 + 2^-23 if to nearest.
void probe_rounding(float* out);

// Blocks like those of the sm_90a kernels that share a processor: nine warps, 96 registers a thread, 99 KiB.
// most (probed_processors) <- the most at one time on each; now (probed_processors): zeros. Not on the
// emulated device.
inline constexpr int64_t probed_processors = 1024;
void probe_resident_blocks(int64_t processors, uint32_t* now, uint32_t* most);

}  // namespace eb::kernels::cuda
