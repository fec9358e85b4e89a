// Convolution shapes: small awkward ones for correctness.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "kernels/conv2d.h"

namespace eb::test {

struct ConvCase {
  std::string name;
  kernels::Conv2d::Params p;
  double flops() const { return 2.0 * p.n * p.out_h() * p.out_w() * p.k * p.r * p.s * (p.c / p.groups); }
  friend std::ostream& operator<<(std::ostream& out, const ConvCase& c) { return out << c.name; }
};

std::vector<ConvCase> conv_cases();
}  // namespace eb::test
