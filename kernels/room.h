// Device memory that is kept for later, and given back where the runtime itself finds no room: a graph, a
// pinned buffer, the code of a kernel.
#pragma once
#include <atomic>

#include "kernels/capture_guard.h"
#include "kernels/device_error.h"

namespace eb::kernels {

// There is no room for it, and nothing left to give back.
class DeviceMemoryError : public DeviceError {
 public:
  explicit DeviceMemoryError(const std::string& what) : DeviceError(what, false) {}
};

// Set by whoever keeps some (engine/tensor/device_cache.cpp): gives it back, false if there was none.
inline std::atomic<bool (*)()> give_back_kept{nullptr};

// attempt() returns false where there was no room, and is then made once more after kept memory was given
// back. Not while a sequence is recorded: giving back waits for the device. Returns what the last one did.
template <class F>
bool with_room(F&& attempt) {
  if (attempt()) return true;
  const auto give_back = give_back_kept.load();
  return !capturing && give_back && give_back() && attempt();
}

}  // namespace eb::kernels
