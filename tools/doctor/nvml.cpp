#include "tools/doctor/nvml.h"

#include <fmt/format.h>

#include "kernels/cuda/library/shared_library.h"

namespace eb::tools {

namespace {

using kernels::cuda::SharedLibrary;

// As nvml.h of the NVML API declares them, so that no header of it is needed:
// https://docs.nvidia.com/deploy/nvml-api
using Device = void*;
struct PciInfo {
  char legacy_bus_id[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};
struct Memory {
  unsigned long long total, free, used;
};

// A call with these arguments; LibraryError unless it succeeds.
template <class... Arguments>
void call(const SharedLibrary& library, const char* name, Arguments... arguments) {
  const int status = library.function<int (*)(Arguments...)>(name)(arguments...);
  if (status != 0) throw kernels::LibraryError(fmt::format("{} failed with status {}", name, status));
}

Card card_at(const SharedLibrary& library, unsigned index) {
  Device device = nullptr;
  call(library, "nvmlDeviceGetHandleByIndex_v2", index, &device);
  char name[96] = "";
  call(library, "nvmlDeviceGetName", device, static_cast<char*>(name), unsigned{sizeof name});
  int major = 0, minor = 0;
  call(library, "nvmlDeviceGetCudaComputeCapability", device, &major, &minor);
  Memory memory{};
  call(library, "nvmlDeviceGetMemoryInfo", device, &memory);
  PciInfo pci{};
  call(library, "nvmlDeviceGetPciInfo_v3", device, &pci);
  return {.name = name,
          .pci = fmt::format("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device),
          .sm = 10 * major + minor,
          .memory = static_cast<double>(memory.total)};
}

}  // namespace

NvmlFacts read_nvml(const std::vector<std::string>& names) {
  const SharedLibrary library("NVML", names, "it comes with NVIDIA's driver");
  call(library, "nvmlInit_v2");
  NvmlFacts facts;
  char driver[80] = "";
  call(library, "nvmlSystemGetDriverVersion", static_cast<char*>(driver), unsigned{sizeof driver});
  facts.driver = driver;
  int cuda = 0;  // 13000 is 13.0
  call(library, "nvmlSystemGetCudaDriverVersion_v2", &cuda);
  facts.cuda = fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10);
  unsigned count = 0;
  call(library, "nvmlDeviceGetCount_v2", &count);
  for (unsigned i = 0; i < count; ++i) facts.cards.push_back(card_at(library, i));
  return facts;
}

}  // namespace eb::tools
