#include "kernels/emulated/ptx.h"

#include "kernels/cuda/policy/device_limits.h"
#include "kernels/emulated/tensor_core.h"

namespace eb::kernels::cuda {

namespace {

template <class D>
struct Operand {
  D (*d)[4];
  const uint32_t (*a)[4];
  const uint32_t (*b)[2];
};

// mma.sync of an sm_80 rounds more coarsely than that of an sm_90, which is the one with wgmma.
void add_products(float* d, const float* a, const float* b, int m, int k, int n) {
  using emulated::TensorCore;
  (device_limits().wgmma ? TensorCore::hopper(k) : TensorCore::ampere(k)).multiply_add(d, a, b, m, k, n);
}
void add_products(int32_t* d, const int32_t* a, const int32_t* b, int m, int k, int n) {
  for (int row = 0; row < m; ++row, d += n, a += k)
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < n; ++j) d[j] += a[i] * b[i * n + j];
}

// d (16, 8) += a (16, K) b (K, 8) with E elements to a register: lane = 4 * group + quad.
template <class D, int E, class Element>
void multiply(Operand<D>** lanes, Element element) {
  constexpr int K = 8 * E;
  D a[16][K], b[K][8], d[16][8];
  for (int l = 0; l < 32; ++l) {
    const int group = l / 4, quad = l % 4;
    for (int r = 0; r < 4; ++r)
      for (int e = 0; e < E; ++e)
        a[group + 8 * (r & 1)][quad * E + e + 4 * E * (r >> 1)] = element((*lanes[l]->a)[r], e);
    for (int r = 0; r < 2; ++r)
      for (int e = 0; e < E; ++e) b[quad * E + e + 4 * E * r][group] = element((*lanes[l]->b)[r], e);
  }
  const auto each_sum = [&](auto&& f) {
    for (int l = 0; l < 32; ++l)
      for (int r = 0; r < 4; ++r) f((*lanes[l]->d)[r], d[l / 4 + 8 * (r >> 1)][l % 4 * 2 + (r & 1)]);
  };
  each_sum([](D& mine, D& at) { at = mine; });
  add_products(d[0], a[0], b[0], 16, K, 8);
  each_sum([](D& mine, D& at) { mine = at; });
}

}  // namespace

void load_matrix_x4(uint32_t (&r)[4], const void* row, bool transposed, Where where) {
  struct Row {
    const uint16_t* address;
    uint32_t* r;
  } operand{static_cast<const uint16_t*>(row), r};
  if (!block().owns_shared(row, 16) || reinterpret_cast<uintptr_t>(row) % 16)
    block().fail("reads outside shared memory or off a multiple of 16 bytes", "ldmatrix", where);
  block().collective(
      "ldmatrix", full_warp_mask, operand,
      [&](Row** lanes) {
        for (int l = 0; l < 32; ++l)
          for (int m = 0; m < 4; ++m) {
            const auto at = [&](int i, int j) { return uint32_t{lanes[8 * m + i]->address[j]}; };
            const int i = l / 4, j = l % 4 * 2;
            lanes[l]->r[m] = transposed ? at(j, i) | at(j + 1, i) << 16 : at(i, j) | at(i, j + 1) << 16;
          }
      },
      where);
}

void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Where where) {
  Operand<float> operand{&d, &a, &b};
  block().collective(
      "mma bf16", full_warp_mask, operand,
      [](Operand<float>** lanes) {
        multiply<float, 2>(lanes, [](uint32_t bits, int e) {
          return std::bit_cast<float>(e ? bits & 0xffff0000u : bits << 16);
        });
      },
      where);
}

// The tensor core reads 19 of the 32 bits: what to_tf32 did not round is cut off.
void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Where where) {
  Operand<float> operand{&d, &a, &b};
  block().collective(
      "mma tf32", full_warp_mask, operand,
      [](Operand<float>** lanes) {
        multiply<float, 1>(lanes, [](uint32_t bits, int) { return std::bit_cast<float>(bits & ~0x1fffu); });
      },
      where);
}

void multiply_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Where where) {
  Operand<int32_t> operand{&d, &a, &b};
  block().collective(
      "mma s8", full_warp_mask, operand,
      [](Operand<int32_t>** lanes) {
        multiply<int32_t, 4>(
            lanes, [](uint32_t bits, int e) { return int32_t{static_cast<int8_t>(bits >> 8 * e)}; });
      },
      where);
}

}  // namespace eb::kernels::cuda
