// Device memory as the engine sees it: allocation, copies and completion. Calls are queued in the order of
// the kernels; to_host and synchronize return when everything before them is done.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Memory {
  void* (*allocate)(size_t bytes);  // 256-byte aligned; throws std::bad_alloc
  void (*release)(void* block);
  void (*to_device)(void* device, const void* host, size_t bytes);  // host may be reused on return
  void (*to_host)(void* host, const void* device, size_t bytes);
  void (*copy)(void* to, const void* from, size_t bytes);  // device to device
  void (*zero)(void* device, size_t bytes);
  void (*synchronize)();
};

namespace cpu {
extern const Memory memory;
}
namespace cuda {
extern const Memory memory;
}
inline const Memory& memory(Device d) {
  return pick<cpu::memory, cuda::memory>(d);
}

}  // namespace eb::kernels
