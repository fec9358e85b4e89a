// The devices of this build as test parameters: the CPU, a CUDA card if there is one, or, in a build with the
// emulated device, that device under several schedules.
#pragma once
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/memory.h"
#include "support/values.h"

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
  OnDevice(kernels::Device device, const Values& host)
      : OnDevice(device, host.data(), host.size() * kernels::size_of(host.dtype())) {}
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

// Device memory whose contents do not matter.
class Scratch {
 public:
  Scratch(kernels::Device device, size_t bytes)
      : memory_(kernels::memory(device)), block_(memory_.allocate(bytes)) {}
  ~Scratch() { memory_.release(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return block_; }

 private:
  const kernels::Memory& memory_;
  void* block_;
};

// What must not change a bit: on the CPU the number of threads, on the emulated device the schedule, on a
// card another run.
template <class F>
void expect_same_bits_everywhere(const TestDevice& device, F&& run) {
  if (device.device == kernels::Device::cpu) return expect_same_bits_for_any_threads(run);
  const auto first = run();
  const DeviceScope other({device.device, device.schedule + 4});
  EXPECT_TRUE(first == run()) << "other bits the second time on " << device;
}

}  // namespace eb::test
