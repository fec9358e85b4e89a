// Host side of the CUDA backend: the current stream, checked calls and launches.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/device_error.h"

namespace eb::kernels::cuda {

// Throws DeviceError unless code is cudaSuccess (DeviceMemoryError: kernels/room.h); `what` names the call or
// the kernel. A kernel that fails while it runs is reported by a later call, which waits for it:
// EB_CUDA_SYNC=1 waits for each and so names it.
void check(cudaError_t code, const char* what);

// All work but copies beside it (kernels/side_copies.h) is queued on one stream, made by the first call. Not
// the default stream, which cannot be captured.
cudaStream_t stream();

// Checked launch on the stream; opts into shared sizes over 48 KiB.
void launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments,
                   size_t shared_bytes);

}  // namespace eb::kernels::cuda
