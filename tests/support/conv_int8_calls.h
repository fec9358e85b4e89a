// One call of kernels/conv2d_int8.h on the device under test, its arrays on the host.
#pragma once
#include <utility>

#include "kernels/conv2d_int8.h"
#include "support/devices.h"
#include "support/oracle_conv_int8.h"

namespace eb::test {

struct ConvInt8 {
  using Direction = kernels::Conv2dInt8::Direction;
  using Path = kernels::Conv2dInt8::Path;
  struct Output {
    Values y;
    std::vector<uint32_t> largest;
    bool operator==(const Output&) const = default;
  };

  Output forward(Path path, const Blocks& x, const Blocks& w, const Floats& b) const;  // b empty: none
  Values backward_data(Path path, const Blocks& dy, const Blocks& w) const;
  std::pair<Floats, Floats> backward_weight(Path path, const Blocks& x, const Blocks& dy) const;  // dw, db
  bool has_integer(Direction d, int64_t first, int64_t second) const {
    return kernel.has_integer(p, d, first, second);
  }

  kernels::Conv2d::Params p;
  kernels::Device device = test_device().device;
  const kernels::Conv2dInt8& kernel = kernels::conv2d_int8(device);
};

}  // namespace eb::test
