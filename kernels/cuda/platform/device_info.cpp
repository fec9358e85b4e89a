#include "kernels/device_info.h"

#include "kernels/built_targets.h"
#include "kernels/cuda/platform/probe.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/device_problem.h"

namespace eb::kernels::cuda {

namespace {

constexpr int least_sm = 80;  // mma.sync with bf16 and cp.async

std::string version(int v) {
  return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
}

struct Versions {
  int driver = 0, runtime = 0;
};

std::string reason(cudaError_t code, const DeviceInfo& info, const Versions& v) {
  cudaGetLastError();  // or the next call would report it again
  return why_not_started({.error = cudaGetErrorName(code),
                          .text = cudaGetErrorString(code),
                          .driver = v.driver,
                          .runtime = v.runtime,
                          .card = info.name,
                          .sm = info.sm,
                          .targets = built::cuda_targets});
}

}  // namespace

DeviceInfo device_info() {
  DeviceInfo info;
  Versions v;
  int count = 0;
  cudaDriverGetVersion(&v.driver);
  cudaRuntimeGetVersion(&v.runtime);
  info.driver = v.driver ? version(v.driver) : "";
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted != cudaSuccess || count == 0) {
    info.problem = reason(counted == cudaSuccess ? cudaErrorNoDevice : counted, info, v);
    return info;
  }
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, 0), "device properties");
  info.name = p.name;
  info.sm = p.major * 10 + p.minor;
  info.processors = p.multiProcessorCount;
  info.memory_bytes = p.totalGlobalMem;
  if (info.sm < least_sm) {
    info.problem = info.name + " is sm_" + std::to_string(info.sm) + ", the kernels need sm_" +
                   std::to_string(least_sm) + " or newer: use --device cpu";
    return info;
  }
  // The first call that opens the card, and that needs code for it.
  cudaFuncAttributes attributes;
  const cudaError_t opened = cudaFuncGetAttributes(&attributes, probe_kernel());
  if (opened != cudaSuccess) info.problem = reason(opened, info, v);
  return info;
}

}  // namespace eb::kernels::cuda
