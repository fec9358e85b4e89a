// A device that failed while a program ran on it.
#pragma once
#include <stdexcept>
#include <string>

namespace eb::kernels {

class DeviceError : public std::runtime_error {
 public:
  DeviceError(const std::string& what, bool lost) : std::runtime_error(what), lost(lost) {}
  bool lost;  // the device is gone for this process, not only the kernel
};

}  // namespace eb::kernels
