// The procedural pictures: reproducible, balanced, and not solvable by a linear model.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/dataset.h"

using namespace eb::data;

static std::vector<float> pixels_of(const Dataset& d, int64_t n) {
  std::vector<float> all;
  for (int64_t i = 0; i < n; ++i)
    for (const uint8_t v : d.image(i).rgb) all.push_back(v / 127.5f - 1);
  return all;
}

TEST(Synthetic, same_pictures_every_time_and_none_twice) {
  const DataConfig::Synthetic options;
  const auto a = make_synthetic(options, Split::train), b = make_synthetic(options, Split::train);
  const auto test = make_synthetic(options, Split::test);
  EXPECT_EQ(a->image(17).rgb, b->image(17).rgb);
  EXPECT_NE(a->image(17).rgb, a->image(27).rgb);
  EXPECT_NE(a->image(17).rgb, test->image(17).rgb);
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  EXPECT_NE(a->fingerprint(), test->fingerprint());
}

TEST(Synthetic, honours_its_options) {
  DataConfig::Synthetic options{.train = 31, .test = 7, .size = 48, .classes = 4, .noise = 0};
  const auto train = make_synthetic(options, Split::train);
  EXPECT_EQ(train->size(), 31);
  EXPECT_EQ(make_synthetic(options, Split::test)->size(), 7);
  EXPECT_EQ(train->classes(), 4);
  EXPECT_EQ(train->image(30).width, 48);
  for (int64_t i = 0; i < 31; ++i) EXPECT_LT(train->label(i), 4);
}

TEST(Synthetic, noise_has_the_asked_standard_deviation) {
  DataConfig::Synthetic options{.noise = 0};
  const auto clean = make_synthetic(options, Split::train);
  options.noise = 0.1;
  const auto noisy = make_synthetic(options, Split::train);
  double sum = 0, squares = 0, n = 0;
  for (int64_t i = 0; i < 50; ++i) {
    const Image a = clean->image(i), b = noisy->image(i);
    for (size_t k = 0; k < a.rgb.size(); ++k) {
      if (a.rgb[k] < 110 || a.rgb[k] > 145)
        continue;  // far from the clipping at 0 and 255: over 4 deviations
      const double d = (b.rgb[k] - a.rgb[k]) / 255.0;
      sum += d;
      squares += d * d;
      ++n;
    }
  }
  ASSERT_GT(n, 5000);
  EXPECT_NEAR(std::sqrt(squares / n), 0.1, 0.003);
  EXPECT_NEAR(sum / n, 0, 0.005);
}

// Softmax regression on the pixels, by plain SGD with momentum-free steps over `epochs` passes.
class SoftmaxRegression {
 public:
  SoftmaxRegression(int64_t inputs, int64_t classes)
      : inputs_(inputs), w_(classes, std::vector<float>(inputs + 1)) {}

  void train(const float* x, int label, float lr) {
    std::vector<double> p = probabilities(x);
    p[label] -= 1;
    for (size_t c = 0; c < w_.size(); ++c) {
      const auto step = static_cast<float>(lr * p[c]);
      for (int64_t k = 0; k < inputs_; ++k) w_[c][k] -= step * x[k];
      w_[c][inputs_] -= step;
    }
  }
  int predict(const float* x) const {
    const auto p = probabilities(x);
    return static_cast<int>(std::max_element(p.begin(), p.end()) - p.begin());
  }

 private:
  std::vector<double> probabilities(const float* x) const {
    std::vector<double> z;
    for (const auto& w : w_) {
      float dot = w[inputs_];
      for (int64_t k = 0; k < inputs_; ++k) dot += w[k] * x[k];
      z.push_back(dot);
    }
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (double& v : z) sum += v = std::exp(v - top);
    for (double& v : z) v /= sum;
    return z;
  }
  int64_t inputs_;
  std::vector<std::vector<float>> w_;
};

static int correct(const SoftmaxRegression& model, const std::vector<float>& x, const Dataset& d, int64_t n) {
  int sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += model.predict(&x[i * x.size() / n]) == d.label(i);
  return sum;
}

static SoftmaxRegression regression(const std::vector<float>& x, const Dataset& d, int64_t n, int epochs,
                                    float lr) {
  const auto inputs = static_cast<int64_t>(x.size()) / n;
  SoftmaxRegression model(inputs, d.classes());
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (int64_t i = 0; i < n; ++i) model.train(&x[i * inputs], d.label(i), lr / (1.f + epoch));
  return model;
}

// Place, colour and rotation are random, so single pixels say nothing about the class.
TEST(Synthetic, linear_model_stays_under_60_percent) {
  const DataConfig::Synthetic options;
  const auto train = make_synthetic(options, Split::train), test = make_synthetic(options, Split::test);
  const auto few = pixels_of(*train, 200);
  EXPECT_GT(correct(regression(few, *train, 200, 20, 2e-3f), few, *train, 200), 160)
      << "the regression must be able to learn";
  const SoftmaxRegression model = regression(pixels_of(*train, 5000), *train, 5000, 4, 2e-4f);
  EXPECT_LT(correct(model, pixels_of(*test, 1000), *test, 1000), 600);
}
