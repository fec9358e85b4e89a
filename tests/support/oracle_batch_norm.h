// Batch norm in double, written from Ioffe & Szegedy 2015 (algorithm 1 and the gradients of section 3).
#pragma once
#include <ostream>

#include "kernels/batch_norm.h"
#include "support/values.h"

namespace eb::test {

struct BatchNormCase {
  const char* name;
  int64_t rows, c_in;
  bool relu = false, residual = false;
  int64_t keep_every = 1;  // select channels 0, keep_every, 2 * keep_every, ...; 1 = no select list
  std::vector<int32_t> select() const;
  int64_t c() const { return (c_in + keep_every - 1) / keep_every; }
  friend std::ostream& operator<<(std::ostream& out, const BatchNormCase& c) { return out << c.name; }
};
std::vector<BatchNormCase> batch_norm_cases();

struct BatchNormOracle {
  BatchNormCase shape;
  double eps, momentum;
  Doubles x, gamma, beta, residual;  // residual empty if absent

  struct Forward {
    Doubles y, mean, rstd, variance;  // variance: unbiased, per selected channel
  };
  Forward forward() const;
  Doubles infer(const Doubles& running_mean, const Doubles& running_var) const;

  struct Gradients {
    Doubles dx, dresidual, dgamma, dbeta;
  };
  // y decides relu's mask.
  Gradients backward(const Doubles& y, const Doubles& dy) const;

  int64_t channel(int64_t j) const { return j * shape.keep_every; }
  double x_at(int64_t row, int64_t j) const { return x[row * shape.c_in + channel(j)]; }
};

// Mean and sum of squared deviations of y's k columns over every `each` rows, (slices, 2, k).
Doubles moments_of(const Doubles& y, int64_t k, int64_t each);
void expect_moments(const Floats& got, const Doubles& y, int64_t k, int64_t each);

}  // namespace eb::test
