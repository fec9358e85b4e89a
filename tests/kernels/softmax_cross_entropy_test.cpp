// Softmax cross entropy against the definition in long double.
#include "kernels/softmax_cross_entropy.h"

#include <tuple>

#include "support/devices.h"
#include "support/oracle_softmax_cross_entropy.h"

namespace eb::test {
namespace {

using kernels::DType;

struct Outcome {
  float loss = NAN;
  int32_t top1 = -1, top5 = -1;
};

void run(const SoftmaxCase& shape, const Values& logits, Values* dlogits, Outcome& o) {
  const auto labels = shape.labels();
  Staged on;
  const auto& kernel = kernels::softmax_cross_entropy(test_device().device);
  const kernels::SoftmaxCrossEntropy::Params p{logits.dtype(), shape.n, shape.classes, shape.label_smoothing};
  kernel.forward_backward(p, {.logits = on(logits),
                              .labels = on(labels),
                              .loss = on(o.loss),
                              .top1 = on(o.top1),
                              .top5 = on(o.top5),
                              .dlogits = dlogits ? on(*dlogits) : nullptr,
                              .workspace = on.workspace(kernel.workspace_bytes(p))});
}

Outcome run(const SoftmaxCase& shape, const Values& logits, Values* dlogits) {
  Outcome o;
  run(shape, logits, dlogits, o);
  return o;
}

class SoftmaxCrossEntropyTest : public testing::TestWithParam<std::tuple<SoftmaxCase, DType>> {
 protected:
  const SoftmaxCase shape = std::get<0>(GetParam());
  const DType dtype = std::get<1>(GetParam());
  const int64_t n = shape.n * shape.classes;
  const Values logits{dtype, normal(n, 1, 0.5, 3)};
  Values dlogits{dtype, n};
};

TEST_P(SoftmaxCrossEntropyTest, MatchesOracle) {
  const Outcome got = run(shape, logits, &dlogits);
  const auto want = softmax_cross_entropy_oracle(shape, logits.get());
  EXPECT_NEAR(got.loss, want.loss, 2e-6 * (1 + want.loss));
  EXPECT_EQ(got.top1, want.top1);
  EXPECT_EQ(got.top5, want.top5);
  // float cannot resolve p - t better than half an ulp of t <= 1, times 1 / N.
  expect_close(dlogits.get(), want.dlogits, rounding(dtype) + 2e-6, 2e-7 / shape.n, "dlogits");
}

TEST_P(SoftmaxCrossEntropyTest, EvaluationGivesTheSameNumbers) {
  const Outcome with = run(shape, logits, &dlogits), without = run(shape, logits, nullptr);
  EXPECT_EQ(with.loss, without.loss);
  EXPECT_EQ(with.top5, without.top5);
}

TEST_P(SoftmaxCrossEntropyTest, SameBitsForAnyThreads) {
  expect_same_bits_for_any_threads([&] {
    const Outcome o = run(shape, logits, &dlogits);
    return std::tuple(o.loss, o.top1, o.top5, dlogits);
  });
}

INSTANTIATE_TEST_SUITE_P(Cases, SoftmaxCrossEntropyTest,
                         testing::Combine(testing::ValuesIn(softmax_cases()),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  kernels::name_of(std::get<1>(info.param));
                         });

TEST(SoftmaxCrossEntropyOracle, GradientMatchesFiniteDifferences) {
  for (const SoftmaxCase& shape : {SoftmaxCase{"plain", 3, 7, 0.f}, SoftmaxCase{"smoothed", 2, 5, 0.3f}}) {
    const Doubles logits = normal(shape.n * shape.classes, 1);
    const auto loss = [&](const Doubles& at) {
      return Doubles{softmax_cross_entropy_oracle(shape, at).loss};
    };
    expect_close(softmax_cross_entropy_oracle(shape, logits).dlogits, numeric_gradient(loss, logits, {1.}),
                 1e-7, 1e-9, "dlogits");
  }
}

// Samples [first, last) of the 16 of a batch.
Outcome run_part(const SoftmaxCase& whole, const Values& logits, int64_t first, int64_t last, int64_t total,
                 Doubles& dlogits) {
  const auto all = whole.labels();
  const std::vector<int32_t> labels(all.begin() + first, all.begin() + last);
  const Doubles z = logits.get();
  const Values part(logits.dtype(),
                    Doubles(z.begin() + first * whole.classes, z.begin() + last * whole.classes));
  Values dz(logits.dtype(), part.size());
  Outcome o;
  {
    Staged on;
    const auto& kernel = kernels::softmax_cross_entropy(test_device().device);
    const kernels::SoftmaxCrossEntropy::Params p{.dtype = logits.dtype(),
                                                 .n = last - first,
                                                 .classes = whole.classes,
                                                 .label_smoothing = whole.label_smoothing,
                                                 .total = total};
    kernel.forward_backward(p, {.logits = on(part),
                                .labels = on(labels),
                                .loss = on(o.loss),
                                .top1 = on(o.top1),
                                .top5 = on(o.top5),
                                .dlogits = on(dz),
                                .workspace = on.workspace(kernel.workspace_bytes(p))});
  }
  const Doubles d = dz.get();
  dlogits.insert(dlogits.end(), d.begin(), d.end());
  return o;
}

TEST(SoftmaxCrossEntropy, PartsAddUpToTheWhole) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t classes : {10, 130}) {
      const SoftmaxCase shape{"parts", 16, classes, 0.1f};
      const Values logits(dtype, normal(16 * classes, 2, 0.5, 3));
      Doubles whole, same, parts;
      const Outcome want = run_part(shape, logits, 0, 16, 0, whole);
      EXPECT_EQ(run_part(shape, logits, 0, 16, 16, same).loss, want.loss);
      EXPECT_EQ(same, whole);
      double loss = 0;
      int32_t top1 = 0, top5 = 0;
      for (const auto& [first, last] : {std::pair{0, 3}, {3, 8}, {8, 16}}) {
        const Outcome o = run_part(shape, logits, first, last, 16, parts);
        loss += o.loss, top1 += o.top1, top5 += o.top5;
      }
      EXPECT_EQ(parts, whole);
      EXPECT_NEAR(loss, want.loss, 1e-6 * want.loss);
      EXPECT_EQ(top1, want.top1);
      EXPECT_EQ(top5, want.top5);
    }
}

TEST(SoftmaxCrossEntropy, HugeLogitsAreStable) {
  const SoftmaxCase shape{"huge", 2, 3, 0.f};  // labels 0 and 1
  const Values logits(DType::f32, {3e38, 0, -3e38, 1000, 1001, 999});
  Values dlogits(DType::f32, 6);
  const Outcome got = run(shape, logits, &dlogits);
  const double second = std::log(1 + std::exp(-1.) + std::exp(-2.));
  EXPECT_NEAR(got.loss, second / 2, 1e-6);
  expect_close({dlogits.get()[0], dlogits.get()[1], dlogits.get()[2]}, {0, 0, 0}, 0, 0, "dlogits");
}

TEST(SoftmaxCrossEntropy, TiesGoToTheLowerClass) {
  // Labels are 0, 31 % 6 = 1, 62 % 6 = 2, 93 % 6 = 3, 4, 5: all logits equal, so only class 0 is first.
  const SoftmaxCase shape{"ties", 6, 6, 0.f};
  const Outcome got = run(shape, Values(DType::f32, Doubles(36, 1.5)), nullptr);
  EXPECT_EQ(got.top1, 1);
  EXPECT_EQ(got.top5, 5);
  EXPECT_NEAR(got.loss, std::log(6.), 1e-6);
}

TEST(SoftmaxCrossEntropy, NanIsNeverCorrectAndReachesTheLoss) {
  const SoftmaxCase shape{"nan", 1, 2, 0.f};  // label 0
  const Outcome at_label = run(shape, Values(DType::f32, {NAN, 0}), nullptr);
  EXPECT_EQ(at_label.top1, 0);
  EXPECT_EQ(at_label.top5, 0);
  EXPECT_TRUE(std::isnan(at_label.loss));
  const Outcome elsewhere = run(shape, Values(DType::f32, {0, NAN}), nullptr);
  EXPECT_EQ(elsewhere.top1, 1);
  EXPECT_TRUE(std::isnan(elsewhere.loss));
}

}  // namespace
}  // namespace eb::test
