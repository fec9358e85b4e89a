#include "support/devices.h"

#include <cstdlib>

#ifdef EB_EMULATED_DEVICE
#include "kernels/emulated/schedule.h"
#endif

namespace eb::test {

using kernels::Device;

#ifdef EB_EMULATED_DEVICE
static constexpr bool emulates_cuda = true;
#else
static constexpr bool emulates_cuda = false;
#endif

bool TestDevice::emulated() const {
  return emulates_cuda && device == Device::cuda;
}

std::string TestDevice::name() const {
  return emulated() ? "emulated_schedule_" + std::to_string(schedule) : name_of(device);
}

static void set_schedule([[maybe_unused]] uint64_t schedule) {
#ifdef EB_EMULATED_DEVICE
  kernels::emulated::set_schedule(schedule);
#endif
}

static TestDevice named(const std::string& name) {
  if (name == "cpu") return {Device::cpu};
  if (kernels::built::cuda && !emulates_cuda && name == "cuda") return {Device::cuda};
  if (emulates_cuda && name.starts_with("cuda:"))
    return {Device::cuda, std::strtoull(name.c_str() + 5, nullptr, 10)};
  throw std::invalid_argument("EB_TEST_DEVICE=" + name + " is not in this build");
}

const TestDevice& test_device() {
  static const TestDevice device = [] {
    const char* name = std::getenv("EB_TEST_DEVICE");
    const TestDevice d = named(name ? name : emulates_cuda ? "cuda:1" : "cpu");
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
