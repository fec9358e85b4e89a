#include "engine/optimizer.h"

#include <cmath>

#include "kernels/reduce.h"

namespace eb::engine {

using Segment = kernels::Sgd::Segment;

static Segment segment_of(const Parameter& p, const Sgd::Config& c) {
  return {p.offset, p.count, p.is_weight() || c.decay_bn ? c.weight_decay : 0.f,
          p.kind == Parameter::Kind::bn_gamma ? c.l1 : 0.f};
}

Sgd::Sgd(const Model& model, const Config& config) : config_(config) {
  for (const Parameter& p : model.parameters()) {
    const Segment s = segment_of(p, config);
    Segment* last = segments_.empty() ? nullptr : &segments_.back();
    // The gap between two parameters is zero and stays zero, so alike neighbours are one segment.
    if (last && last->weight_decay == s.weight_decay && last->l1 == s.l1)
      last->count = s.offset + s.count - last->offset;
    else
      segments_.push_back(s);
  }
}

bool Sgd::step(Model& model, float lr) const {
  const auto& reduce = kernels::reduce(model.device());
  const int64_t n = model.gradients().size();
  const Tensor finite = Tensor::empty({1}, DType::i32, model.device());
  reduce.all_finite(n, model.gradients().data<float>(), finite.data<int32_t>());
  kernels::Sgd::Params p{lr, config_.momentum, 1.f, config_.nesterov};
  if (config_.clip_norm && finite.item<int32_t>()) {
    const Tensor squares = Tensor::empty({1}, DType::f64, model.device());
    reduce.sum_of_squares(n, model.gradients().data<float>(), squares.data<double>());
    const double norm = std::sqrt(squares.item<double>());
    if (norm > *config_.clip_norm) p.grad_scale = static_cast<float>(*config_.clip_norm / norm);
  }
  kernels::sgd(model.device())
      .step(p, segments_.data(), static_cast<int64_t>(segments_.size()), finite.data<int32_t>(),
            model.gradients().data<float>(), model.momentum().data<float>(), model.values().data<float>(),
            model.working().data<bf16>());
  const bool applied = finite.item<int32_t>() != 0;
  if (applied) model.values_changed(false);
  return applied;
}

}  // namespace eb::engine
