// Initialisers of spec section 6, drawn from Philox so that they depend on the seed and the element alone.
#include <cmath>
#include <numbers>

#include "engine/model.h"
#include "kernels/philox.h"

namespace eb::engine {

namespace {

using kernels::Philox4;

Philox4 draw(uint64_t seed, size_t parameter, int64_t element) {
  return kernels::philox(seed, kernels::Stream::init, static_cast<uint32_t>(parameter),
                         static_cast<uint64_t>(element));
}

// Box-Muller; the first uniform lies in (0, 1], so the logarithm is finite.
float normal(const Philox4& r) {
  const double u = (static_cast<double>(r[0]) + 1) * 0x1p-32, v = static_cast<double>(r[1]) * 0x1p-32;
  return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v));
}

void fill_normal(float* w, int64_t n, double deviation, uint64_t seed, size_t parameter) {
  for (int64_t i = 0; i < n; ++i) w[i] = static_cast<float>(deviation) * normal(draw(seed, parameter, i));
}

void fill_uniform(float* w, int64_t n, double bound, uint64_t seed, size_t parameter) {
  for (int64_t i = 0; i < n; ++i) {
    const float u = kernels::uniform(draw(seed, parameter, i)[0]);
    w[i] = static_cast<float>(bound) * (2 * u - 1);
  }
}

void fill(float* w, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i) w[i] = value;
}

int64_t fan_in(const Parameter& weight) {
  return weight.count / weight.shape[0];
}

}  // namespace

void initialize(Model& model, const InitConfig& init, uint64_t seed) {
  using Kind = Parameter::Kind;
  const bool uniform = init.linear == InitConfig::Linear::uniform_fan_in;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const Parameter& p = model.parameters()[i];
    float* w = model.value(p);
    if (p.kind == Kind::conv_weight)
      fill_normal(w, p.count, std::sqrt(2.0 / static_cast<double>(p.shape[1] * p.shape[2] * p.shape[0])),
                  seed, i);
    if (p.kind == Kind::linear_weight && uniform)
      fill_uniform(w, p.count, 1 / std::sqrt(static_cast<double>(fan_in(p))), seed, i);
    if (p.kind == Kind::linear_weight && !uniform) fill_normal(w, p.count, 0.01, seed, i);
    if (p.kind == Kind::bn_gamma) fill(w, p.count, init.bn_gamma);
    if (p.kind == Kind::bn_beta) fill(w, p.count, 0.f);
    if (p.kind == Kind::bias) {
      // PyTorch's default for a linear layer and a convolution alike; the reference's VGG classifier starts
      // at 0.
      const Parameter& weight = model.parameters()[i - 1];
      if (uniform)
        fill_uniform(w, p.count, 1 / std::sqrt(static_cast<double>(fan_in(weight))), seed, i);
      else
        fill(w, p.count, 0.f);
    }
  }
  model.values_changed();
}

}  // namespace eb::engine
