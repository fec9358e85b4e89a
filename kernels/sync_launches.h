// EB_CUDA_SYNC=1: each launch is waited for, so that a kernel that fails is named.
#pragma once
#include <cstdlib>

namespace eb::kernels {

// Steps are not recorded then: the replay of a recording is one launch, which names nothing.
inline bool waits_for_each_launch() {
  static const bool on = [] {
    const char* value = std::getenv("EB_CUDA_SYNC");
    return value && *value && *value != '0';
  }();
  return on;
}

}  // namespace eb::kernels
