#include "support/oracle_conv.h"

#include <cmath>

namespace eb::test {

// f(x index, w index, y index) for every product of the convolution.
template <class F>
static void for_each_product(const kernels::Conv2d::Params& p, F&& f) {
  const int64_t cg = p.c / p.groups, kg = p.k / p.groups;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t oh = 0; oh < p.out_h(); ++oh)
      for (int64_t ow = 0; ow < p.out_w(); ++ow)
        for (int64_t r = 0; r < p.r; ++r)
          for (int64_t s = 0; s < p.s; ++s) {
            const int64_t h = oh * p.stride_h + r - p.pad_h, w = ow * p.stride_w + s - p.pad_w;
            if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
            const int64_t x = ((n * p.h + h) * p.w + w) * p.c;
            const int64_t y = ((n * p.out_h() + oh) * p.out_w() + ow) * p.k;
            for (int64_t k = 0; k < p.k; ++k)
              for (int64_t c = 0; c < cg; ++c)
                f(x + k / kg * cg + c, ((k * p.r + r) * p.s + s) * cg + c, y + k);
          }
}

Doubles ConvOracle::forward(const Doubles& x, const Doubles& w, const Doubles& b) const {
  Doubles y(y_size());
  for (size_t i = 0; i < y.size() && !b.empty(); ++i) y[i] = b[i % p.k];
  for_each_product(p, [&](int64_t i, int64_t j, int64_t o) { y[o] += x[i] * w[j]; });
  return y;
}

Doubles ConvOracle::backward_data(const Doubles& dy, const Doubles& w) const {
  Doubles dx(x_size());
  for_each_product(p, [&](int64_t i, int64_t j, int64_t o) { dx[i] += dy[o] * w[j]; });
  return dx;
}

Doubles ConvOracle::backward_weight(const Doubles& x, const Doubles& dy) const {
  Doubles dw(w_size());
  for_each_product(p, [&](int64_t i, int64_t j, int64_t o) { dw[j] += dy[o] * x[i]; });
  return dw;
}

Doubles ConvOracle::backward_bias(const Doubles& dy) const {
  Doubles db(p.k);
  for (size_t i = 0; i < dy.size(); ++i) db[i % p.k] += dy[i];
  return db;
}

Doubles absolute(Doubles v) {
  for (double& x : v) x = std::abs(x);
  return v;
}

void expect_sum(const Doubles& got, const Doubles& want, const Doubles& scale, double rounding,
                const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  size_t wrong = 0, worst = 0;
  double worst_ratio = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double allowed = rounding * std::abs(want[i]) + 0x1p-21 * scale[i];
    const double error = std::abs(got[i] - want[i]);
    if (error <= allowed) continue;
    ++wrong;
    const double ratio = allowed > 0 && !std::isnan(error) ? error / allowed : INFINITY;
    if (ratio > worst_ratio) worst_ratio = ratio, worst = i;
  }
  if (wrong)
    ADD_FAILURE() << what << ": " << wrong << " of " << got.size() << " are too far off, the worst by "
                  << worst_ratio << " of what is allowed: [" << worst << "] is " << got[worst] << ", want "
                  << want[worst];
}

}  // namespace eb::test
