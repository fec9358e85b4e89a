#include "kernels/gather.h"

#include <cstring>

#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

void weight(const Gather::Params& p, const Gather::Arrays& a) {
  parallel_ranges(p.k_out, p.taps * p.c_out, [=](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const float* from = a.x + (a.out ? a.out[k] : k) * p.taps * p.c;
      float* to = a.y + k * p.taps * p.c_out;
      if (!a.in) std::memcpy(to, from, p.taps * p.c * sizeof(float));
      for (int64_t t = 0; a.in && t < p.taps; ++t) {
        for (int64_t j = 0; j < p.c_out; ++j) to[t * p.c_out + j] = from[t * p.c + a.in[j]];
      }
    }
  });
}

}  // namespace

const Gather gather = {.weight = weight};

}  // namespace eb::kernels::cpu
