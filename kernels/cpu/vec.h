// The widest float vector this build may use, with a fused multiply-add that no compiler flag can split.
#pragma once
#include <immintrin.h>

#include <cstdint>

namespace eb::kernels::cpu {

#ifdef __AVX512F__
constexpr int lanes = 16;
using Vec = __m512;
inline Vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm512_storeu_ps(p, v);
}
inline Vec broadcast(float x) {
  return _mm512_set1_ps(x);
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
// Lane i of the result is lane index[i] of v.
using VecIndex = __m512i;
inline VecIndex load_index(const int32_t* p) {
  return _mm512_loadu_si512(p);
}
inline Vec permute(Vec v, VecIndex index) {
  return _mm512_permutexvar_ps(index, v);
}
#else
constexpr int lanes = 8;
using Vec = __m256;
inline Vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm256_storeu_ps(p, v);
}
inline Vec broadcast(float x) {
  return _mm256_set1_ps(x);
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
using VecIndex = __m256i;
inline VecIndex load_index(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Vec permute(Vec v, VecIndex index) {
  return _mm256_permutevar8x32_ps(v, index);
}
#endif

inline void prefetch(const float* p) {
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
}

}  // namespace eb::kernels::cpu
