// Whether a sequence is being recorded (kernels/capture.h), said once for every backend: what waits for the
// device or copies from the host's memory has no place in a recording. A card would take such a copy in and
// read that host memory again in each replay, whatever lies there by then.
#pragma once
#include <atomic>
#include <stdexcept>
#include <string>

namespace eb::kernels {

// Between Capture::begin and its end or abandon; set by them alone.
inline std::atomic<bool> capturing{false};

// Throws std::logic_error, which names `what`, while a sequence is recorded.
inline void refuse_while_capturing(const char* what) {
  if (capturing)
    throw std::logic_error(std::string("[") + what + "] while a sequence of launches is recorded");
}

}  // namespace eb::kernels
