// The one thing that is asked of NVML, the driver's management library: how much energy a card has used.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/library/shared_library.h"

namespace eb::kernels::cuda {

class Nvml {
 public:
  // Of the card at this PCI address ("0000:3B:00.0"). LibraryError where none of `names` loads, or the
  // library does not know the card.
  Nvml(const std::vector<std::string>& names, const std::string& pci_bus_id);
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  // Since the driver was loaded; nothing if the card does not count (before Volta) or does not answer.
  std::optional<double> joules() const;

 private:
  // As nvml.h of the NVML API declares them (nvmlReturn_t is an enumeration, nvmlDevice_t a pointer), so that
  // no header of it is needed: https://docs.nvidia.com/deploy/nvml-api
  using Status = int;
  using Device = void*;
  static constexpr Status success = 0;

  SharedLibrary library_;
  Status (*energy_)(Device, unsigned long long* millijoules);  // nvmlDeviceGetTotalEnergyConsumption
  Device device_ = nullptr;
};

}  // namespace eb::kernels::cuda
