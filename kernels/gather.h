// Compaction: copies the kept rows and columns of a weight into its smaller self. Index lists are ascending;
// null means "all". Source and destination must not overlap.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Gather {
  // A vector is k rows with taps = c = 1.
  struct Params {
    int64_t k_out, taps = 1, c_out = 1, c = 1;
  };
  struct Arrays {
    const float* x;                // (k, taps, c)
    const int32_t* out = nullptr;  // (k_out) rows of x
    const int32_t* in = nullptr;   // (c_out) innermost channels of x
    float* y;                      // (k_out, taps, c_out)
  };
  void (*weight)(const Params&, const Arrays&);
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
