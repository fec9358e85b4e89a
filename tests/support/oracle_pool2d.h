// Pooling in double, by scattering from outputs to inputs (the kernels gather).
#pragma once
#include <ostream>
#include <vector>

#include "kernels/pool2d.h"
#include "support/values.h"

namespace eb::test {

struct Pool2dCase {
  const char* name;
  int64_t n, h, w, c, r, s, stride_h, stride_w, pad_h = 0, pad_w = 0;
  kernels::Pool2d::Params params(kernels::DType dtype) const {
    return {dtype, n, h, w, c, r, s, stride_h, stride_w, pad_h, pad_w};
  }
  friend std::ostream& operator<<(std::ostream& out, const Pool2dCase& p) { return out << p.name; }
};
std::vector<Pool2dCase> pool2d_cases();

struct MaxPooled {
  Doubles y;
  std::vector<int64_t> input;   // flat position in x of each maximum
  std::vector<uint8_t> window;  // its index in the window
};
MaxPooled max_pool_oracle(const Pool2dCase& p, const Doubles& x);
Doubles max_pool_backward_oracle(const Pool2dCase& p, const MaxPooled& forward, const Doubles& dy);
Doubles avg_pool_oracle(const Pool2dCase& p, const Doubles& x);
Doubles avg_pool_backward_oracle(const Pool2dCase& p, const Doubles& dy);

}  // namespace eb::test
