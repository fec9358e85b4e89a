// The CUDA card of this machine, or why there is none to use.
#pragma once
#include <string>

#include "kernels/built.h"
#include "kernels/dtype.h"

namespace eb::kernels {

struct DeviceInfo {
  std::string problem;  // empty if the device is usable; else one sentence and what to do about it
  std::string name;     // "NVIDIA H200"
  int sm = 0;           // compute capability times 10
  int processors = 0;
  size_t memory_bytes = 0;
  std::string driver;  // CUDA version the driver supports: "13.0"
};

namespace cuda {
DeviceInfo device_info();
}
inline DeviceInfo cuda_info() {
  if constexpr (built::cuda) return cuda::device_info();
  return {
      "this build has no CUDA kernels: tools/run compiles them only for a GPU that it sees; with nvcc on "
      "PATH, EB_CUDA=ON ./tools/run ... compiles them anyway"};
}

}  // namespace eb::kernels
