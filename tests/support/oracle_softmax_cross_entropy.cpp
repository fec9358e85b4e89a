#include "support/oracle_softmax_cross_entropy.h"

#include <algorithm>
#include <numeric>

namespace eb::test {

std::vector<int32_t> SoftmaxCase::labels() const {
  std::vector<int32_t> v(n);
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<int32_t>(i * 31 % classes);
  return v;
}

std::vector<SoftmaxCase> softmax_cases() {
  return {{"one_sample", 1, 2, 0.f}, {"cifar10", 128, 10, 0.f},    {"cifar10_smoothed", 7, 10, 0.1f},
          {"three", 5, 3, 0.2f},     {"imagenet", 33, 1000, 0.1f}, {"imagenet_batch", 64, 1000, 0.f}};
}

SoftmaxOutcome softmax_cross_entropy_oracle(const SoftmaxCase& shape, const Doubles& logits) {
  const int64_t k = shape.classes;
  const auto labels = shape.labels();
  SoftmaxOutcome o{0, 0, 0, Doubles(logits.size())};
  for (int64_t i = 0; i < shape.n; ++i) {
    const double* z = &logits[i * k];
    long double sum = 0;
    for (int64_t j = 0; j < k; ++j) sum += std::exp(static_cast<long double>(z[j]));
    for (int64_t j = 0; j < k; ++j) {
      const long double p = std::exp(static_cast<long double>(z[j])) / sum;
      const double target =
          (j == labels[i] ? 1.0 - shape.label_smoothing : 0.0) + double(shape.label_smoothing) / k;
      o.loss -= static_cast<double>(target * std::log(p)) / shape.n;
      o.dlogits[i * k + j] = static_cast<double>(p - target) / shape.n;
    }
    std::vector<int64_t> order(k);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return z[a] > z[b]; });
    const int64_t place = std::find(order.begin(), order.end(), labels[i]) - order.begin();
    o.top1 += place < 1;
    o.top5 += place < 5;
  }
  return o;
}

}  // namespace eb::test
