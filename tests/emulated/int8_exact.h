// All three directions of the exact path of one int8 convolution against sums in double.
#pragma once
#include "support/conv_int8_calls.h"

namespace eb::test {

inline void expect_exact(const ConvInt8& conv, const Blocks& x, const Blocks& w, const Blocks& dy) {
  const ConvInt8Oracle oracle{conv.p};
  const ConvOracle& sums = oracle.sums;
  const Doubles xs = x.values(), ws = w.values(), dys = dy.values();
  const Floats b = to_floats(normal(conv.p.k, 4));
  const double stored = rounding(conv.p.dtype), once = rounding(kernels::DType::f32);

  const ConvInt8::Output got = conv.forward(ConvInt8::Path::exact, x, w, b);
  expect_sum(got.y.get(), sums.forward(xs, ws, to_doubles(b)),
             sums.forward(absolute(xs), absolute(ws), absolute(to_doubles(b))), stored, "y");
  EXPECT_EQ(got.largest, oracle.largest(got.y));
  expect_sum(conv.backward_data(ConvInt8::Path::exact, dy, w).get(), sums.backward_data(dys, ws),
             sums.backward_data(absolute(dys), absolute(ws)), stored, "dx");
  const auto [dw, db] = conv.backward_weight(ConvInt8::Path::exact, x, dy);
  expect_sum(to_doubles(dw), sums.backward_weight(xs, dys), sums.backward_weight(absolute(xs), absolute(dys)),
             once, "dw");
  expect_sum(to_doubles(db), sums.backward_bias(dys), sums.backward_bias(absolute(dys)), once, "db");
}

}  // namespace eb::test
