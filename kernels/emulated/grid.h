// A launch on the emulated device: the blocks of a grid, in an order drawn from the schedule, over the
// process's kernel threads. Returns when all blocks are done and rethrows the first error.
#pragma once
#include <functional>

#include "kernels/emulated/block.h"

namespace eb::kernels::emulated {

// Runs it now, or keeps it for later while a sequence is recorded (kernels/capture.h).
void submit(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes,
            std::function<void()> thread_body);

// kernels/capture_guard.h, and fail_if_broken.
void refuse_while_recording(const char* what);
void fail_if_broken(const char* what);  // DeviceError once a kernel has failed for good
bool recording();
void record(std::function<void()> operation);

// For tests: the launch number `after` from now (0: the next one) of `kernel` fails with a DeviceError, once.
void fail_launch(const char* kernel, int after, bool lost);

void run_grid(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes,
              const std::function<void()>& thread_body);

}  // namespace eb::kernels::emulated
