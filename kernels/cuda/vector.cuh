// Runs of N activations: one load or store each, 16 bytes where the caller's N allows. A kernel that waits
// for memory loads several runs before it uses one: no load may move above a store that it might alias.
#pragma once
#include <type_traits>

#include "kernels/cuda/gemm/ptx.cuh"

namespace eb::kernels::cuda {

template <class T>
inline constexpr int widest = 16 / sizeof(T);

// N neighbours as they lie in memory (so bf16 takes half a register), read as floats, or bytes as numbers.
template <class T, int N>
struct Run {
  static constexpr bool whole = N * sizeof(T) % sizeof(uint32_t) == 0;
  using Word = std::conditional_t<whole, uint32_t, T>;
  static constexpr int count = N * sizeof(T) / sizeof(Word);
  Word words[count];

  __device__ void load(const T* p) {
    if constexpr (whole)
      load_words(words, p);
    else
#pragma unroll
      for (int i = 0; i < count; ++i) words[i] = p[i];
  }
  __device__ auto operator[](int i) const {
    if constexpr (sizeof(T) == 1)
      if constexpr (whole)
        return words[i / 4] >> (i % 4 * 8) & 0xffu;
      else
        return uint32_t{words[i]};
    else if constexpr (!whole)
      return static_cast<float>(words[i]);
    else if constexpr (sizeof(T) == 2)
      return float_of(i % 2 ? words[i / 2] & 0xffff0000u : words[i / 2] << 16);
    else
      return float_of(words[i]);
  }
};

template <class T, int N>
__device__ void load_floats(const T* p, float (&v)[N]) {
  const Vec<T, N> raw = *reinterpret_cast<const Vec<T, N>*>(p);
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = static_cast<float>(raw[i]);
}

template <class T, int N>
__device__ void store_floats(T* p, const float (&v)[N]) {
  using Words = Run<T, N>;
  if constexpr (Words::whole) {
    uint32_t words[Words::count];
#pragma unroll
    for (int i = 0; i < Words::count; ++i)
      if constexpr (sizeof(T) == 2)
        words[i] = pack_bf16(v[2 * i], v[2 * i + 1]);
      else
        words[i] = bits_of(v[i]);
    store_words(p, words);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) p[i] = T(v[i]);
  }
}

template <int N>
__device__ void store_bytes(uint8_t* p, const uint32_t (&v)[N]) {
  if constexpr (N % 4 == 0) {
    uint32_t words[N / 4] = {};
#pragma unroll
    for (int i = 0; i < N; ++i) words[i / 4] |= v[i] << (i % 4 * 8);
    store_words(p, words);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) p[i] = static_cast<uint8_t>(v[i]);
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

}  // namespace eb::kernels::cuda
