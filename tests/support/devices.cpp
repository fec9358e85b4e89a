#include "support/devices.h"

#include "kernels/device_info.h"

#ifdef EB_EMULATED_DEVICE
#include "kernels/emulated/schedule.h"
#endif

namespace eb::test {

std::string TestDevice::name() const {
  std::string s = name_of(device);
  if (device == kernels::Device::emulated) s += "_schedule_" + std::to_string(schedule);
  return s;
}

#ifdef EB_EMULATED_DEVICE

// 0 is round robin, which hides most mistakes; 1 runs one warp ahead, 2 and 3 also scatter the copies.
std::vector<TestDevice> test_devices() {
  std::vector<TestDevice> all;
  for (const uint64_t schedule : {1, 2, 3}) all.push_back({kernels::Device::emulated, schedule});
  return all;
}
DeviceScope::DeviceScope(const TestDevice& device) {
  kernels::emulated::set_schedule(device.schedule);
}
DeviceScope::~DeviceScope() {
  kernels::emulated::set_schedule(0);
}

#else

std::vector<TestDevice> test_devices() {
  std::vector<TestDevice> all = {{kernels::Device::cpu}};
  if (kernels::cuda_info().problem.empty()) all.push_back({kernels::Device::cuda});
  return all;
}
DeviceScope::DeviceScope(const TestDevice&) {}
DeviceScope::~DeviceScope() {}

#endif

}  // namespace eb::test
