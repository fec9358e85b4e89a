// Initialisers of docs/method.md 4.3, from Philox, so that they depend on the seed and the element alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/model/model.h"
#include "kernels/cpu/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/philox.h"

namespace eb::engine {

namespace {

using kernels::Philox4;

constexpr int64_t draw_cost = 64;  // streamed elements: ten rounds of Philox, a logarithm and a sine

// Calls four(first element, how many, words): four elements share the draw keyed by element / 4.
template <class Four>
void for_each_draw(int64_t n, uint64_t seed, size_t parameter, Four four) {
  kernels::cpu::parallel_ranges((n + 3) / 4, draw_cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      four(i * 4, std::min<int64_t>(4, n - i * 4),
           kernels::philox(seed, kernels::Stream::init, static_cast<uint32_t>(parameter),
                           static_cast<uint64_t>(i)));
  });
}

// Box-Muller: two normals from two words. The first uniform lies in (0, 1], so the logarithm is finite.
std::array<double, 2> normals(uint32_t a, uint32_t b) {
  const double u = (static_cast<double>(a) + 1) * 0x1p-32, v = static_cast<double>(b) * 0x1p-32;
  const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

void fill_normal(float* w, int64_t n, double deviation, uint64_t seed, size_t parameter) {
  for_each_draw(n, seed, parameter, [=](int64_t at, int64_t count, const Philox4& r) {
    const auto low = normals(r[0], r[1]), high = normals(r[2], r[3]);
    const double z[] = {low[0], low[1], high[0], high[1]};
    for (int64_t j = 0; j < count; ++j) w[at + j] = static_cast<float>(deviation * z[j]);
  });
}

void fill_uniform(float* w, int64_t n, double bound, uint64_t seed, size_t parameter) {
  for_each_draw(n, seed, parameter, [=](int64_t at, int64_t count, const Philox4& r) {
    for (int64_t j = 0; j < count; ++j)
      w[at + j] = static_cast<float>(bound * (2. * kernels::uniform(r[j]) - 1.));
  });
}

double fan_in(const Parameter& weight) {
  return static_cast<double>(weight.count / weight.shape[0]);
}

// He et al. 2015, fan out: kernel height * width * output channels.
double conv_deviation(const Parameter& w) {
  return std::sqrt(2. / static_cast<double>(w.shape[1] * w.shape[2] * w.shape[0]));
}

void fill_parameter(const Model& model, size_t i, const InitConfig& init, uint64_t seed, float* arena) {
  using Kind = Parameter::Kind;
  const Parameter& p = model.parameters()[i];
  const bool uniform = init.linear == InitConfig::Linear::uniform_fan_in;
  float* w = arena + p.offset;
  if (p.kind == Kind::conv_weight) return fill_normal(w, p.count, conv_deviation(p), seed, i);
  if (p.kind == Kind::linear_weight && !uniform) return fill_normal(w, p.count, 0.01, seed, i);
  if (p.kind == Kind::linear_weight) return fill_uniform(w, p.count, 1 / std::sqrt(fan_in(p)), seed, i);
  // PyTorch's default bias of linear layers and convolutions alike; the weight comes right before it.
  if (p.kind == Kind::bias && uniform)
    return fill_uniform(w, p.count, 1 / std::sqrt(fan_in(model.parameters()[i - 1])), seed, i);
  std::fill_n(w, p.count, p.kind == Kind::bn_gamma ? init.bn_gamma : 0.f);
}

}  // namespace

void initialize(Model& model, const InitConfig& init, uint64_t seed) {
  const Tensor host = model.values().to(Device::cpu);
  for (size_t i = 0; i < model.parameters().size(); ++i)
    fill_parameter(model, i, init, seed, host.data<float>());
  model.values().copy_from(host);
  const auto& fill = kernels::elementwise(model.device()).fill;
  fill({DType::f32, model.momentum().size()}, 0.f, model.momentum().raw());
  for (int bn : model.graph().bn_nodes()) {
    const RunningStats& stats = model.running(bn);
    fill({DType::f32, stats.mean.size()}, 0.f, stats.mean.raw());
    fill({DType::f32, stats.var.size()}, 1.f, stats.var.raw());
  }
  model.values_changed();
}

}  // namespace eb::engine
