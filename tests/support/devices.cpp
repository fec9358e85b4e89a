#include "support/devices.h"

#include <cstdlib>

#ifdef EB_EMULATED_DEVICE
#include "kernels/emulated/schedule.h"
#endif

namespace eb::test {

using kernels::Device;

std::string TestDevice::name() const {
  std::string s = name_of(device);
  if (device == Device::emulated) s += "_schedule_" + std::to_string(schedule);
  return s;
}

static void set_schedule([[maybe_unused]] uint64_t schedule) {
#ifdef EB_EMULATED_DEVICE
  kernels::emulated::set_schedule(schedule);
#endif
}

static TestDevice named(const std::string& name) {
  if (name == "cpu") return {Device::cpu};
  if (kernels::built::cuda && name == "cuda") return {Device::cuda};
  if (kernels::built::emulated && name.starts_with("emulated:"))
    return {Device::emulated, std::strtoull(name.c_str() + 9, nullptr, 10)};
  throw std::invalid_argument("EB_TEST_DEVICE=" + name + " is not in this build");
}

const TestDevice& test_device() {
  static const TestDevice device = [] {
    const char* name = std::getenv("EB_TEST_DEVICE");
    const TestDevice d = named(name ? name : kernels::built::emulated ? "emulated:1" : "cpu");
    set_schedule(d.schedule);
    return d;
  }();
  return device;
}

std::vector<TestDevice> test_devices() {
  return {test_device()};
}

DeviceScope::DeviceScope(const TestDevice& device) {
  set_schedule(device.schedule);
}
DeviceScope::~DeviceScope() {
  set_schedule(test_device().schedule);
}

}  // namespace eb::test
