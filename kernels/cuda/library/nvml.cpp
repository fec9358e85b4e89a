#include "kernels/cuda/library/nvml.h"

#include <cuda_runtime_api.h>

#include "kernels/card_energy.h"

namespace eb::kernels::cuda {

Nvml::Nvml(const std::vector<std::string>& names, const std::string& pci_bus_id)
    : library_("NVML", names, "it comes with NVIDIA's driver"),
      energy_(library_.function<decltype(energy_)>("nvmlDeviceGetTotalEnergyConsumption")) {
  const auto init = library_.function<Status (*)()>("nvmlInit_v2");
  const auto find = library_.function<Status (*)(const char*, Device*)>("nvmlDeviceGetHandleByPciBusId_v2");
  Status status = init();
  if (status == success) status = find(pci_bus_id.c_str(), &device_);
  if (status != success)
    throw LibraryError("NVML does not know the card at " + pci_bus_id + ": status " + std::to_string(status));
}

std::optional<double> Nvml::joules() const {
  unsigned long long millijoules = 0;
  if (energy_(device_, &millijoules) != success) return std::nullopt;
  return 1e-3 * static_cast<double>(millijoules);
}

// By its address: NVML counts all cards of the machine, CUDA those that it may see, in an order of its own.
static const Nvml* of_this_process() {
  char address[32] = "";
  if (cudaDeviceGetPCIBusId(address, sizeof address, 0) != cudaSuccess) {
    cudaGetLastError();  // or the next call would report it; a metric ends no training
    return nullptr;
  }
  try {
    return new Nvml({"libnvidia-ml.so.1"}, address);
  } catch (const LibraryError&) {
    return nullptr;
  }
}

std::optional<double> card_joules() {
  static const Nvml* const once = of_this_process();
  return once ? once->joules() : std::nullopt;
}

}  // namespace eb::kernels::cuda
