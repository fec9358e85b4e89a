// Number types and devices, and the bf16 conversions every backend agrees on (round to nearest even).
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace eb::kernels {

enum class DType : uint8_t { f32, bf16, u8, i8, i16, i32, f64, i64 };
enum class Device : uint8_t { cpu, cuda };  // cuda may be the emulated one of the tests

constexpr size_t size_of(DType t) {
  switch (t) {
    case DType::f32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::u8:
    case DType::i8:
      return 1;
    case DType::i16:
      return 2;
    case DType::i32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
  }
  return 0;
}

constexpr const char* name_of(Device d) {
  constexpr const char* names[] = {"cpu", "cuda"};
  return names[static_cast<int>(d)];
}

constexpr const char* name_of(DType t) {
  constexpr const char* names[] = {"f32", "bf16", "u8", "i8", "i16", "i32", "f64", "i64"};
  return names[static_cast<int>(t)];
}

// Storage-only 16-bit float: all arithmetic happens in float.
struct bf16 {
  uint16_t bits = 0;
  constexpr bf16() = default;
  constexpr bf16(float x) : bits(round(x)) {}
  constexpr bf16& operator=(float x) {  // compilers vectorise this store, but not the copy of a temporary
    bits = round(x);
    return *this;
  }
  static constexpr uint16_t round(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x), nan = -static_cast<uint32_t>(x != x);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<uint16_t>((rounded & ~nan) | (0x7fc0u & nan));
  }
  constexpr operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

}  // namespace eb::kernels
