// The devices of this build as test parameters: the CPU, a CUDA card if there is one, or, in a build with the
// emulated device, that device under several schedules.
#pragma once
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/memory.h"

namespace eb::test {

struct TestDevice {
  kernels::Device device = kernels::Device::cpu;
  uint64_t schedule = 0;  // of the emulated device
  std::string name() const;
  friend std::ostream& operator<<(std::ostream& out, const TestDevice& d) { return out << d.name(); }
};

std::vector<TestDevice> test_devices();

// Sets the emulated device's schedule for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(const TestDevice& device);
  ~DeviceScope();
};

// A host array's copy in device memory; fetch() brings it back.
class OnDevice {
 public:
  OnDevice(kernels::Device device, const void* host, size_t bytes)
      : memory_(kernels::memory(device)), bytes_(bytes), block_(memory_.allocate(bytes)) {
    if (bytes) memory_.to_device(block_, host, bytes);
  }
  template <class T>
  OnDevice(kernels::Device device, const std::vector<T>& host)
      : OnDevice(device, host.data(), host.size() * sizeof(T)) {}
  ~OnDevice() { memory_.release(block_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  void* get() const { return block_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(block_);
  }
  void fetch(void* host) const {
    if (bytes_) memory_.to_host(host, block_, bytes_);
  }
  template <class T>
  void fetch(std::vector<T>& host) const {
    fetch(host.data());
  }

 private:
  const kernels::Memory& memory_;
  size_t bytes_;
  void* block_;
};

}  // namespace eb::test
