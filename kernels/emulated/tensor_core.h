// How a tensor core adds floats, as measured on cards (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior
// of NVIDIA tensor cores", PeerJ CS 2021; Xie et al., MMA-Sim): products are exact; they and the accumulator
// are aligned to the largest exponent among them and cut off some bits behind it; the sum is exact and is
// stored as fp32, rounded toward zero. So an accumulator that goes through many multiplies loses half a unit
// of its last place in each, always toward zero.
#pragma once
#include <cstdint>

namespace eb::kernels::emulated {

struct TensorCore {
  int fraction_bits;  // behind the largest exponent
  int terms;          // products added at once: of more, the sum so far is the next ones' accumulator

  static TensorCore hopper(int k) { return {25, k}; }
  static TensorCore ampere(int k) { return {24, k / 2}; }

  // d (m, n) += a (m, k) b (k, n), row by row. Factors are bf16 or tf32. Where a row of d or a, or b, is not
  // finite, it is added as IEEE does.
  void multiply_add(float* d, const float* a, const float* b, int m, int k, int n) const;
};

}  // namespace eb::kernels::emulated
