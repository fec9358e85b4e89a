// Convolution in double by the defining sums, in NHWC and OHWI.
#pragma once
#include "kernels/conv2d.h"
#include "support/values.h"

namespace eb::test {

struct ConvOracle {
  kernels::Conv2d::Params p;

  Doubles forward(const Doubles& x, const Doubles& w, const Doubles& b) const;  // b empty: none
  Doubles backward_data(const Doubles& dy, const Doubles& w) const;
  Doubles backward_weight(const Doubles& x, const Doubles& dy) const;
  Doubles backward_bias(const Doubles& dy) const;

  int64_t x_size() const { return p.n * p.h * p.w * p.c; }
  int64_t w_size() const { return p.k * p.r * p.s * (p.c / p.groups); }
  int64_t y_size() const { return p.n * p.out_h() * p.out_w() * p.k; }
};

Doubles absolute(Doubles v);

// got: a float sum of terms whose absolute values add up to `scale`, stored with at most `rounding`. The
// error of the sum is bounded by terms * 2^-24 of scale; eight of these are allowed. A failure counts the
// wrong ones and names the worst, as a multiple of what is allowed.
void expect_sum(const Doubles& got, const Doubles& want, const Doubles& scale, double rounding,
                const char* what);

}  // namespace eb::test
