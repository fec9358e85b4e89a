// Runs of N activations as floats: one load or store each, 16 bytes where the caller's N allows.
#pragma once
#include "kernels/cuda/ptx.cuh"

namespace eb::kernels::EB_BACKEND {

template <class T>
inline constexpr int widest = 16 / sizeof(T);

template <class T, int N>
__device__ void load_floats(const T* p, float (&v)[N]) {
  const Vec<T, N> raw = *reinterpret_cast<const Vec<T, N>*>(p);
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = static_cast<float>(raw[i]);
}

template <class T, int N>
__device__ void store_floats(T* p, const float (&v)[N]) {
  if constexpr (sizeof(T) == 2 && N % 2 == 0) {
    Vec<uint32_t, N / 2> raw;
#pragma unroll
    for (int i = 0; i < N / 2; ++i) raw[i] = pack_bf16(v[2 * i], v[2 * i + 1]);
    *reinterpret_cast<Vec<uint32_t, N / 2>*>(p) = raw;
  } else {
    Vec<T, N> raw;
#pragma unroll
    for (int i = 0; i < N; ++i) raw[i] = T(v[i]);
    *reinterpret_cast<Vec<T, N>*>(p) = raw;
  }
}

// f.operator()<T>() for the run-time dtype of activations.
template <class F>
void by_dtype(DType dtype, F&& f) {
  dtype == DType::bf16 ? f.template operator()<bf16>() : f.template operator()<float>();
}

inline unsigned blocks_for(int64_t work, int64_t per_block) {
  return static_cast<unsigned>(ceil_div(work, per_block));
}

}  // namespace eb::kernels::EB_BACKEND
