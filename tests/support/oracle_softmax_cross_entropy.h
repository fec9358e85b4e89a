// Cross entropy in long double straight from the definition: exp without a shift, accuracy by sorting.
#pragma once
#include <ostream>
#include <vector>

#include "support/values.h"

namespace eb::test {

struct SoftmaxCase {
  const char* name;
  int64_t n, classes;
  float label_smoothing;
  std::vector<int32_t> labels() const;
  friend std::ostream& operator<<(std::ostream& out, const SoftmaxCase& s) { return out << s.name; }
};
std::vector<SoftmaxCase> softmax_cases();

struct SoftmaxOutcome {
  double loss;
  int64_t top1, top5;
  Doubles dlogits;
};
SoftmaxOutcome softmax_cross_entropy_oracle(const SoftmaxCase& shape, const Doubles& logits);

}  // namespace eb::test
