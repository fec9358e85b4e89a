#include "support/oracle_pool2d.h"

namespace eb::test {
namespace {

// f(output, input, index in the window) for every pair that touches, padding left out.
template <class F>
void for_touching(const Pool2dCase& p, F&& f) {
  const auto k = p.params(kernels::DType::f32);
  int64_t output = 0;
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t oh = 0; oh < k.out_h(); ++oh) {
      for (int64_t ow = 0; ow < k.out_w(); ++ow) {
        for (int64_t c = 0; c < p.c; ++c, ++output) {
          for (int64_t tap = 0; tap < p.r * p.s; ++tap) {
            const int64_t h = oh * p.stride_h - p.pad_h + tap / p.s,
                          w = ow * p.stride_w - p.pad_w + tap % p.s;
            if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
            f(output, ((n * p.h + h) * p.w + w) * p.c + c, static_cast<uint8_t>(tap));
          }
        }
      }
    }
  }
}

int64_t outputs(const Pool2dCase& p) {
  const auto k = p.params(kernels::DType::f32);
  return p.n * k.out_h() * k.out_w() * p.c;
}

}  // namespace

std::vector<Pool2dCase> pool2d_cases() {
  return {
      {"halve", 2, 8, 8, 16, 2, 2, 2, 2},
      {"halve_odd", 3, 7, 9, 5, 2, 2, 2, 2},
      {"stem_overlapping", 2, 15, 14, 64, 3, 3, 2, 2, 1, 1},
      {"dense_overlapping", 1, 6, 5, 3, 3, 3, 1, 1, 1, 1},
      {"oblong", 2, 9, 11, 7, 2, 3, 3, 1, 0, 1},
      {"global", 4, 7, 7, 70, 7, 7, 7, 7},
      {"global_one_channel", 1, 4, 4, 1, 4, 4, 1, 1},
      {"gaps", 1, 10, 10, 8, 2, 2, 3, 3},
      {"one_by_one", 2, 3, 3, 9, 1, 1, 1, 1},
  };
}

MaxPooled max_pool_oracle(const Pool2dCase& p, const Doubles& x) {
  const int64_t n = outputs(p);
  MaxPooled f{Doubles(n), std::vector<int64_t>(n, -1), std::vector<uint8_t>(n)};
  for_touching(p, [&](int64_t out, int64_t in, uint8_t tap) {
    if (f.input[out] >= 0 && !(x[in] > f.y[out] || std::isnan(x[in]))) return;
    f.y[out] = x[in];
    f.input[out] = in;
    f.window[out] = tap;
  });
  return f;
}

Doubles max_pool_backward_oracle(const Pool2dCase& p, const MaxPooled& forward, const Doubles& dy) {
  Doubles dx(p.n * p.h * p.w * p.c);
  for (size_t i = 0; i < dy.size(); ++i) dx[forward.input[i]] += dy[i];
  return dx;
}

Doubles avg_pool_oracle(const Pool2dCase& p, const Doubles& x) {
  Doubles y(outputs(p));
  for_touching(p, [&](int64_t out, int64_t in, uint8_t) { y[out] += x[in] / (p.r * p.s); });
  return y;
}

Doubles avg_pool_backward_oracle(const Pool2dCase& p, const Doubles& dy) {
  Doubles dx(p.n * p.h * p.w * p.c);
  for_touching(p, [&](int64_t out, int64_t in, uint8_t) { dx[in] += dy[out] / (p.r * p.s); });
  return dx;
}

}  // namespace eb::test
