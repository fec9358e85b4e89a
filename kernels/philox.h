// Philox 4x32-10 (Salmon et al., SC 2011): counter-based random numbers, the same bits on every device and
// for any number of threads. A draw is named by what it is for, never by when it happens.
#pragma once
#include <array>
#include <cstdint>

namespace eb::kernels {

// What a random number is for; keeps the streams of different users apart.
enum class Stream : uint32_t {
  init = 1,
  shuffle,
  crop,
  flip,
  resized_crop,
  synthetic,
  split,
  bad_sample,
  random_ticket,
  quantize,
  evaluation
};

using Philox4 = std::array<uint32_t, 4>;

constexpr Philox4 philox(Philox4 c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * c[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Four 32-bit words for element (hi, lo) of `stream` under `seed`; `hi` is the epoch or the tensor.
constexpr Philox4 philox(uint64_t seed, Stream stream, uint32_t hi, uint64_t lo) {
  return philox(
      {static_cast<uint32_t>(lo), static_cast<uint32_t>(lo >> 32), hi, static_cast<uint32_t>(stream)},
      static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// [0, 1) with 24 bits, exact in float.
constexpr float uniform(uint32_t bits) {
  return static_cast<float>(bits >> 8) * 0x1p-24f;
}

// [0, n) without bias that matters for n < 2^24 (multiply-shift).
constexpr uint32_t below(uint32_t bits, uint32_t n) {
  return static_cast<uint32_t>((uint64_t{bits} * n) >> 32);
}

}  // namespace eb::kernels
