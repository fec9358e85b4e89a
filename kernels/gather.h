// Compaction: copies the kept rows and columns of a weight into its smaller self. Index lists are ascending;
// null means "all". Source and destination must not overlap.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Gather {
  // y (k_out, taps, c_out) <- x (k, taps, c): rows by `out` (k_out), innermost channels by `in` (c_out).
  // A vector is k rows with taps = c = 1.
  void (*weight)(int64_t k_out, int64_t taps, int64_t c_out, int64_t c, const float* x, const int32_t* out,
                 const int32_t* in, float* y);
};

namespace cpu {
extern const Gather gather;
}
namespace cuda {
extern const Gather gather;
}
inline const Gather& gather(Device d) {
  return pick<cpu::gather, cuda::gather>(d);
}

}  // namespace eb::kernels
