// A launch on the emulated device: the blocks of a grid, in an order drawn from the schedule, over the
// process's kernel threads. Returns when all blocks are done and rethrows the first error.
#pragma once
#include <functional>

#include "kernels/emulated/block.h"

namespace eb::kernels::emulated {

void run_grid(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes,
              const std::function<void()>& thread_body);

}  // namespace eb::kernels::emulated
