#include "support/devices.h"

#include <gtest/gtest.h>
#include <xxhash.h>

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

// The running test's, if schedules are drawn.
static uint64_t drawn_schedule = 1;

uint64_t TestDevice::own_schedule() const {
  return schedule == drawn ? drawn_schedule : schedule;
}

std::string TestDevice::name() const {
  if (emulated() && schedule == drawn) return "emulated";
  return emulated() ? "emulated_schedule_" + std::to_string(schedule) : name_of(device);
}

static void set_schedule([[maybe_unused]] uint64_t schedule) {
#ifdef EB_EMULATED_DEVICE
  kernels::emulated::set_schedule(schedule);
#endif
}

// Draws a schedule for each test, by the seed and its name, and says which one failed.
class DrawSchedules : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& test) override {
    const char* seed = std::getenv("EB_TEST_SEED");
    const std::string name = std::string(seed ? seed : "") + test.test_suite_name() + "." + test.name();
    drawn_schedule = 1 + XXH3_64bits(name.data(), name.size()) % 3;
    set_schedule(drawn_schedule);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed())
      std::printf("schedule %d was drawn: EB_TEST_DEVICE=cuda:%d runs it again\n",
                  static_cast<int>(drawn_schedule), static_cast<int>(drawn_schedule));
  }
};

static TestDevice named(const std::string& name) {
  if (name == "cpu") return {Device::cpu};
  if (kernels::built::cuda && !emulates_cuda && name == "cuda") return {Device::cuda};
  if (emulates_cuda && name == "cuda:drawn") {
    testing::UnitTest::GetInstance()->listeners().Append(new DrawSchedules);  // which takes ownership
    return {Device::cuda, TestDevice::drawn};
  }
  if (emulates_cuda && name.starts_with("cuda:"))
    return {Device::cuda, std::strtoull(name.c_str() + 5, nullptr, 10)};
  throw std::invalid_argument("EB_TEST_DEVICE=" + name + " is not in this build");
}

const TestDevice& test_device() {
  static const TestDevice device = [] {
    const char* name = std::getenv("EB_TEST_DEVICE");
    const TestDevice d = named(name ? name : emulates_cuda ? "cuda:1" : "cpu");
    set_schedule(d.own_schedule());
    return d;
  }();
  return device;
}

std::vector<TestDevice> test_devices() {
  return {test_device()};
}

DeviceScope::DeviceScope(const TestDevice& device) {
  set_schedule(device.own_schedule());
}
DeviceScope::~DeviceScope() {
  set_schedule(test_device().own_schedule());
}

}  // namespace eb::test
