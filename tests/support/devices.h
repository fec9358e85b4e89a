// The device under test, named by EB_TEST_DEVICE: cpu (the default), cuda, or cuda:SCHEDULE where the build
// emulates CUDA. Tests hold their arrays on the host and let Staged or OnDevice carry them there
// and back.
#pragma once
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/memory.h"
#include "support/values.h"

namespace eb::test {

struct TestDevice {
  static constexpr uint64_t drawn =
      ~uint64_t{0};  // every test has one of 1, 2, 3, by its name and EB_TEST_SEED
  kernels::Device device = kernels::Device::cpu;
  uint64_t schedule = 0;          // of the emulated device
  uint64_t own_schedule() const;  // the number, where it is drawn that of the running test
  bool emulated() const;
  std::string name() const;
  friend std::ostream& operator<<(std::ostream& out, const TestDevice& d) { return out << d.name(); }
};

const TestDevice& test_device();
std::vector<TestDevice> test_devices();  // test_device() alone, as a test parameter

// Sets the emulated device's schedule for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(const TestDevice& device);
  ~DeviceScope();
};

// What a failed kernel leaves behind is found by the next call that waits, often one of a destructor: there
// it is recorded as a failure of the test, and the other tests of the program run.
template <class F>
void or_fail(const char* what, F&& call) noexcept {
  try {
    call();
  } catch (const std::exception& e) {
    ADD_FAILURE() << what << ": " << e.what();
  }
}

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
  ~OnDevice() {
    or_fail("give an array back", [&] { memory_.release(block_); });
  }
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
  ~Scratch() {
    or_fail("give a workspace back", [&] { memory_.release(block_); });
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return block_; }

 private:
  const kernels::Memory& memory_;
  void* block_;
};

// For one kernel call: on(array) is its copy on the device under test, brought back when the Staged ends
// unless the array is const. On the CPU it is the array itself.
class Staged {
 public:
  Staged() = default;
  ~Staged() {
    for (auto& [there, host] : out_) or_fail("bring the results back", [&] { there->fetch(host); });
  }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;

  void* operator()(Values& v) { return stage(v.data(), bytes_of(v), true); }
  const void* operator()(const Values& v) { return stage(const_cast<void*>(v.data()), bytes_of(v), false); }
  template <class T>
  T* operator()(std::vector<T>& v) {
    return static_cast<T*>(stage(v.data(), v.size() * sizeof(T), true));
  }
  template <class T>
  const T* operator()(const std::vector<T>& v) {
    return static_cast<const T*>(stage(const_cast<T*>(v.data()), v.size() * sizeof(T), false));
  }
  template <class T>
  requires std::is_trivially_copyable_v<T> T* operator()(T& v) {
    return static_cast<T*>(stage(&v, sizeof v, true));
  }
  // Memory of exactly as many bytes as the contract asks for.
  void* workspace(size_t bytes) {
    return spaces_.emplace_back(std::make_unique<Scratch>(test_device().device, bytes))->get();
  }

 private:
  static size_t bytes_of(const Values& v) { return v.size() * kernels::size_of(v.dtype()); }
  // The same array twice is the same copy: a call may alias its arguments.
  void* stage(void* host, size_t bytes, bool back) {
    const kernels::Device device = test_device().device;
    if (device == kernels::Device::cpu) return host;
    auto& there = staged_[host];
    if (!there) there = std::make_unique<OnDevice>(device, host, bytes);
    if (back) out_[there.get()] = host;
    return there->get();
  }

  std::map<const void*, std::unique_ptr<OnDevice>> staged_;
  std::map<OnDevice*, void*> out_;
  std::vector<std::unique_ptr<Scratch>> spaces_;
};

// What must not change a bit: on the CPU the number of threads, on the emulated device the schedule, on a
// card another run.
template <class F>
void expect_same_bits_everywhere(const TestDevice& device, F&& run) {
  if (device.device == kernels::Device::cpu) return expect_same_bits_for_any_threads(run);
  const auto first = run();
  const DeviceScope other({device.device, device.own_schedule() + 4});
  EXPECT_TRUE(first == run()) << "other bits the second time on " << device;
}

}  // namespace eb::test
