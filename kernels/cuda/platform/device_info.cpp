#include "kernels/device_info.h"

#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

constexpr int least_sm = 80;  // mma.sync with bf16 and cp.async

std::string version(int v) {
  return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
}

std::string reason(cudaError_t code, int driver, int runtime) {
  if (driver == 0) return "no NVIDIA driver was found: install one, or use --device cpu";
  if (code == cudaErrorInsufficientDriver)
    return "the driver supports CUDA " + version(driver) + ", this build needs " + version(runtime) +
           ": update the driver";
  if (code == cudaErrorNoDevice) return "the driver sees no card (is CUDA_VISIBLE_DEVICES empty?)";
  return std::string("CUDA does not start: ") + cudaGetErrorString(code);
}

}  // namespace

DeviceInfo device_info() {
  DeviceInfo info;
  int driver = 0, runtime = 0, count = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  info.driver = driver ? version(driver) : "";
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    cudaGetLastError();
    info.problem = reason(code == cudaSuccess ? cudaErrorNoDevice : code, driver, runtime);
    return info;
  }
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, 0), "device properties");
  info.name = p.name;
  info.sm = p.major * 10 + p.minor;
  info.processors = p.multiProcessorCount;
  info.memory_bytes = p.totalGlobalMem;
  if (info.sm < least_sm)
    info.problem = info.name + " is sm_" + std::to_string(info.sm) + ", the kernels need sm_" +
                   std::to_string(least_sm) + " or newer: use --device cpu";
  return info;
}

}  // namespace eb::kernels::cuda
