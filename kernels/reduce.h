// Reductions over fp32 arrays in a fixed order, whatever the number of threads.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Reduce {
  size_t (*workspace_bytes)(int64_t n);  // of each call
  void (*sum)(int64_t n, const float* x, double* result, void* workspace);
  void (*sum_of_squares)(int64_t n, const float* x, double* result, void* workspace);
  // flag = 1 or 0; a device-side gate for sgd
  void (*all_finite)(int64_t n, const float* x, int32_t* flag, void* workspace);
};

namespace cpu {
extern const Reduce reduce;
}
namespace cuda {
extern const Reduce reduce;
}
inline const Reduce& reduce(Device d) {
  return pick<cpu::reduce, cuda::reduce>(d);
}

}  // namespace eb::kernels
