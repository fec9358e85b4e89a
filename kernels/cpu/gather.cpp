#include "kernels/gather.h"

#include <cstring>

#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

void weight(int64_t k_out, int64_t taps, int64_t c_out, int64_t c, const float* x, const int32_t* out,
            const int32_t* in, float* y) {
  parallel_ranges(k_out, taps * c_out, [=](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const float* from = x + (out ? out[k] : k) * taps * c;
      float* to = y + k * taps * c_out;
      if (!in) std::memcpy(to, from, taps * c * sizeof(float));
      for (int64_t t = 0; in && t < taps; ++t) {
        for (int64_t j = 0; j < c_out; ++j) to[t * c_out + j] = from[t * c + in[j]];
      }
    }
  });
}

}  // namespace

const Gather gather = {.weight = weight};

}  // namespace eb::kernels::cpu
