// Device buffers of `bench kernels` in block floating point.
#pragma once
#include "kernels/conv2d_int8.h"
#include "tools/bench/bench_buffer.h"

namespace eb::tools {

// Random codes in `size / block` blocks. Their exponents are drawn from `spread` neighbouring ones: what may
// be added as integers depends on it.
struct BlockBuffer {
  BlockBuffer(kernels::Device device, int64_t size, int64_t block, int spread)
      : codes(device, static_cast<size_t>(size)),
        exponents(device, static_cast<size_t>(size / block) * sizeof(int16_t)),
        block(block) {
    static const std::vector<int8_t> some = [] {
      std::vector<int8_t> v(1 << 20);
      for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int8_t>(random(i) % 255 - 127);
      return v;
    }();
    std::vector<int16_t> few(4096);
    for (size_t i = 0; i < few.size(); ++i) few[i] = static_cast<int16_t>(random(i) % spread - spread);
    codes.repeat(some);
    exponents.repeat(few);
  }
  kernels::Conv2dInt8::Operand operand() const {
    return {codes.get<int8_t>(), exponents.get<int16_t>(), block};
  }
  BenchBuffer codes, exponents;
  int64_t block;

 private:
  static int random(size_t i) {
    return static_cast<int>(kernels::philox(1, kernels::Stream::synthetic, 0, i)[0] >> 8);
  }
};

}  // namespace eb::tools
