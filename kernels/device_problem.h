// Why a card cannot be used, in a sentence that says what to do. By the names of CUDA's errors, so that it
// can be tested where there is no CUDA.
#pragma once
#include <string>
#include <string_view>

namespace eb::kernels {

// What is known where CUDA did not start. Versions as CUDA has them: 13000 is 13.0; driver 0: there is none.
struct FailedStart {
  std::string_view error;  // "cudaErrorNoDevice"
  std::string text;        // CUDA's own
  int driver = 0, runtime = 0;
  std::string card;  // "NVIDIA H200", if it came so far
  int sm = 0;
  std::string targets;  // of this build, as CMake has them: "80-real;90a-real"
};

// For an error whose own text leaves out what a user needs; empty for all others.
inline std::string device_hint(std::string_view error) {
  if (error == "cudaErrorSystemNotReady")
    return "the fabric manager of this NVSwitch machine is not running: start it (systemctl start "
           "nvidia-fabricmanager) in the driver's own version";
  if (error == "cudaErrorDevicesUnavailable")
    return "another process holds the card, which is in an exclusive compute mode: nvidia-smi shows both; "
           "end that process, or let several use it by nvidia-smi -c DEFAULT";
  return "";
}

// "80-real;90a-virtual" -> "sm_80, compute_90a"
inline std::string target_names(std::string_view targets) {
  std::string out;
  while (!targets.empty()) {
    const std::string_view one = targets.substr(0, targets.find(';'));
    targets.remove_prefix(one.size() + (one.size() < targets.size()));
    const std::string_view number = one.substr(0, one.find('-'));
    out += (out.empty() ? "" : ", ") + std::string(one.ends_with("-virtual") ? "compute_" : "sm_") +
           std::string(number);
  }
  return out;
}

inline std::string why_not_started(const FailedStart& f) {
  const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
  if (f.driver == 0) return "no NVIDIA driver was found: install one, or use --device cpu";
  if (f.error == "cudaErrorInsufficientDriver")
    return "the driver supports CUDA " + version(f.driver) + ", this build needs " + version(f.runtime) +
           ": update the driver";
  if (f.error == "cudaErrorNoDevice") return "the driver sees no card (is CUDA_VISIBLE_DEVICES empty?)";
  if (f.error == "cudaErrorNoKernelImageForDevice" || f.error == "cudaErrorUnsupportedPtxVersion")
    return f.card + " is sm_" + std::to_string(f.sm) + ", the kernels of this build are compiled for " +
           target_names(f.targets) +
           ": build for this card (EB_CUDA=ON ./tools/run ... in a new folder), or "
           "use --device cpu";
  const std::string hint = device_hint(f.error);
  return "CUDA does not start: " + f.text + (hint.empty() ? "" : ": " + hint);
}

}  // namespace eb::kernels
