#include "kernels/cuda/policy/device_limits.h"

#include <map>
#include <mutex>

#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

#ifdef EB_BUILT_SM90A
constexpr bool built_sm90a = true;
#else
constexpr bool built_sm90a = false;
#endif

DeviceLimits ask(int device) {
  const auto attribute = [device](cudaDeviceAttr which) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, which, device), "device limits");
    return value;
  };
  return {.processors = attribute(cudaDevAttrMultiProcessorCount),
          .wgmma = built_sm90a && attribute(cudaDevAttrComputeCapabilityMajor) == 9};
}

}  // namespace

const DeviceLimits& device_limits() {
  static std::mutex mutex;
  static std::map<int, DeviceLimits> known;
  int device = 0;
  check(cudaGetDevice(&device), "device limits");
  const std::lock_guard lock(mutex);
  const auto found = known.find(device);
  return found != known.end() ? found->second : known.emplace(device, ask(device)).first->second;
}

}  // namespace eb::kernels::cuda
