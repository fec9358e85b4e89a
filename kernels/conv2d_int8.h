// Convolutions of block floating point tensors (kernels/block_float.h): int8 in memory, layouts as in
// kernels/conv2d.h. Two paths give the same result up to the rounding of fp32 sums:
//   exact    codes become bf16 (or f32) numbers, exponent included, on their way into the multiplier: exact
//            for blocks of any shape; fp32 sums
//   integer  int8 x int8 -> int32, where no exponent changes along a sum. An activation is
//            float(sum) * (scale of the one * scale of the other) + b in fp32: the same bits on every device.
//            A weight gradient adds such sums, each of one or more samples of equal scales, in fp32 in an
//            order that the device chooses: devices agree up to the rounding of those additions.
#pragma once
#include "kernels/block_float.h"
#include "kernels/conv2d.h"

namespace eb::kernels {

struct Conv2dInt8 {
  using Direction = Conv2d::Direction;
  enum class Path : uint8_t { exact, integer };
  // dtype is that of y and dx (f32 or bf16); b, dw and db are f32.
  using Params = Conv2d::Params;
  struct Operand {
    const int8_t* codes;
    const int16_t* exponents;  // one for every `block` elements
    int64_t block;
    int bits = 8;
  };
  // Whether the device has the integer path for operands of these block sizes: forward (x, w), backward_data
  // (dy, w), backward_weight (x, dy). Never more than integer_allowed says.
  bool (*has_integer)(const Params&, Direction, int64_t first_block, int64_t second_block);
  size_t (*workspace_bytes)(const Params&, Direction, Path);
  struct Forward {
    Operand x;                    // (N, H, W, C)
    Operand w;                    // (K, R, S, C / groups)
    const float* b = nullptr;     // (K)
    void* y;                      // (N, P, Q, K)
    uint32_t* largest = nullptr;  // (N) bits of the largest |y| of every sample as it is stored
    void* workspace = nullptr;    // (workspace_bytes)
  };
  struct BackwardData {
    Operand dy;                 // (N, P, Q, K)
    Operand w;                  // (K, R, S, C / groups)
    void* dx;                   // (N, H, W, C)
    void* workspace = nullptr;  // (workspace_bytes)
  };
  struct BackwardWeight {
    Operand x;                  // (N, H, W, C)
    Operand dy;                 // (N, P, Q, K)
    float* dw;                  // (K, R, S, C / groups), overwritten
    float* db = nullptr;        // (K), overwritten
    void* workspace = nullptr;  // (workspace_bytes)
  };
  void (*forward)(const Params&, Path, const Forward&);
  void (*backward_data)(const Params&, Path, const BackwardData&);
  void (*backward_weight)(const Params&, Path, const BackwardWeight&);
};

// Products of codes below 2^7 in magnitude that an int32 takes for certain.
inline constexpr int64_t most_int8_products = 2147483647 / (127 * 127);

// What the integer path needs: one exponent of each operand along every sum, and no overflow. Forward: x a
// sample or more to a block, w a filter or more. Backward-data: dy a sample or more, w all of it.
// Backward-weight: each a sample or more, sums of int32 for each sample.
constexpr bool integer_allowed(const Conv2d::Params& p, Conv2d::Direction d, int64_t first, int64_t second) {
  const int64_t filter = p.r * p.s * (p.c / p.groups), x = p.h * p.w * p.c, y = p.out_h() * p.out_w() * p.k;
  switch (d) {
    case Conv2d::Direction::forward:
      return first % x == 0 && second % filter == 0 && filter <= most_int8_products;
    case Conv2d::Direction::backward_data:
      return first % y == 0 && second == p.k * filter && p.k / p.groups * p.r * p.s <= most_int8_products;
    case Conv2d::Direction::backward_weight:
      return first % x == 0 && second % y == 0 && p.out_h() * p.out_w() <= most_int8_products;
  }
  return false;
}

namespace cpu {
extern const Conv2dInt8 conv2d_int8;
}
namespace cuda {
extern const Conv2dInt8 conv2d_int8;
}
inline const Conv2dInt8& conv2d_int8(Device d) {
  return pick<cpu::conv2d_int8, cuda::conv2d_int8>(d);
}

}  // namespace eb::kernels
