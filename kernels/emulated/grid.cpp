#include "kernels/emulated/grid.h"

#include <numeric>

#include "kernels/emulated/strict_memory.h"

namespace eb::kernels::emulated {

namespace {

// Limits of every card from sm_80 on (CUDA programming guide, technical specifications); shared memory is
// sm_90's 227 KiB.
void check_limits(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes) {
  const auto refuse = [&](const std::string& what) {
    throw EmulationError(std::string("[") + kernel + "] " + what);
  };
  if (threads.count() == 0 || threads.count() > 1024) refuse("block of " + to_string(threads) + " threads");
  if (grid.count() == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    refuse("grid of " + to_string(grid) + " blocks");
  if (shared_bytes > 227 << 10) refuse(std::to_string(shared_bytes) + " bytes of shared memory");
}

std::vector<uint64_t> block_order(uint64_t count, const Schedule& schedule) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), uint64_t{0});
  if (schedule.seed == 0) return order;
  Random random(schedule.seed);
  for (uint64_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.next() % i]);
  return order;
}

}  // namespace

void run_grid(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes,
              const std::function<void()>& thread_body) {
  check_limits(kernel, grid, threads, shared_bytes);
  const Schedule schedule = current_schedule();
  const auto order = block_order(grid.count(), schedule);
  const OpenMemory open;
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic) if (order.size() > 1)
  for (size_t i = 0; i < order.size(); ++i) {
    try {
      Block block({kernel, grid, unflatten(order[i], grid), threads, shared_bytes}, schedule);
      block.run(thread_body);
    } catch (...) {
#pragma omp critical(eb_emulated_error)
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace eb::kernels::emulated
