// Block floating point operands of a bf16 multiply: codes in global memory that the loaders expand on their
// way to shared memory, exponents included. Exact: a code has at most seven bits, bf16 eight.
#pragma once
#include "kernels/block_float.h"
#include "kernels/conv2d_int8.h"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

struct Coded {};  // the element type of such a tensor

// Where an element is. Tensors of less than 2^31 elements.
struct CodePointer {
  const int8_t* codes;
  const int16_t* exponents;
  FastDivide by_block;
  int bits;
  int64_t element = 0;

  CodePointer() = default;
  explicit CodePointer(const Conv2dInt8::Operand& o)
      : codes(o.codes), exponents(o.exponents), by_block(o.block), bits(o.bits) {}
  __device__ CodePointer& operator+=(int64_t n) {
    element += n;
    return *this;
  }
  __device__ CodePointer operator+(int64_t n) const { return CodePointer(*this) += n; }
  __device__ const int8_t* code() const { return codes + element; }
  __device__ float scale() const {
    return float_of(block_scale(exponents[by_block.divide(static_cast<uint32_t>(element))], bits));
  }
};

template <class T>
using PointerTo = std::conditional_t<std::is_same_v<T, Coded>, CodePointer, const T*>;

// `width` neighbours of one block, 8 or 1: loaded now, expanded later.
template <int width>
struct Codes {
  static_assert(width == 8 || width == 1);
  Run<uint8_t, width> run;
  float scale;

  __device__ void load(const CodePointer& from, bool in_range) {
    run = {};
    scale = 0.f;
    if (!in_range) return;
    run.load(reinterpret_cast<const uint8_t*>(from.code()));
    scale = from.scale();
  }
  // Byte i + 2^23 + 128 is a float whose bits end in that byte's, its sign bit flipped.
  __device__ float value(int i) const {
    return (float_of(0x4b000000u | (run[i] ^ 0x80u)) - 8388736.f) * scale;
  }
  __device__ void store(bf16* to) const {
    if constexpr (width == 1) {
      *to = bf16(value(0));
    } else {
      Vec<uint32_t, 4> words;
#pragma unroll
      for (int i = 0; i < 4; ++i) words[i] = pack_bf16(value(2 * i), value(2 * i + 1));
      *reinterpret_cast<Vec<uint32_t, 4>*>(to) = words;
    }
  }
};

}  // namespace eb::kernels::cuda
