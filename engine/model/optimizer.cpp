#include "engine/model/optimizer.h"

#include "engine/bfp/block_arena.h"
#include "kernels/elementwise.h"
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

Tensor step_state(Device device) {
  const kernels::StepState fresh;
  const Tensor t = Tensor::empty({sizeof fresh}, DType::u8, device);
  kernels::memory(device).to_device(t.raw(), &fresh, sizeof fresh);
  return t;
}

Sgd::Judged Sgd::judge(const Model& model) const {
  const Device device = model.device();
  const auto& reduce = kernels::reduce(device);
  const int64_t n = model.gradients().size();
  const auto* gradients = model.gradients().data<float>();
  Judged j{Tensor::empty({1}, DType::i32, device), {}};
  const Tensor space = workspace(reduce.workspace_bytes(n), device);
  reduce.all_finite(n, gradients, j.finite.data<int32_t>(), space.raw());
  if (config_.clip_norm) {
    j.squares = Tensor::empty({1}, DType::f64, device);
    reduce.sum_of_squares(n, gradients, j.squares.data<double>(), space.raw());
  }
  return j;
}

kernels::StepControl::Params Sgd::params(int64_t samples) const {
  return {.samples = samples, .clip_norm = config_.clip_norm.value_or(0.f)};
}

void Sgd::update(Model& model, const Tensor& state, const LossResult& loss, int64_t samples) const {
  const Judged j = judge(model);
  kernels::step_control(model.device())
      .judge(params(samples), {.loss = loss.loss.data<float>(),
                               .counts = loss.counts.data<int32_t>(),
                               .finite = j.finite.data<int32_t>(),
                               .squares = j.squares.data<double>(),
                               .state = state.data<kernels::StepState>()});
  apply(model, state);
}

void Sgd::update(Model& model, const Tensor& state, const ShardLosses& losses, int64_t samples) const {
  const Judged j = judge(model);
  kernels::step_control(model.device())
      .judge_shards(params(samples), {.slots = losses.slots,
                                      .shards = losses.shards,
                                      .finite = j.finite.data<int32_t>(),
                                      .squares = j.squares.data<double>(),
                                      .state = state.data<kernels::StepState>()});
  apply(model, state);
}

void Sgd::apply(Model& model, const Tensor& state) const {
  const auto* control = &state.data<kernels::StepState>()->update;
  if (model.blocks()) return update_blocks(model, control);
  kernels::sgd(model.device())
      .step({.momentum = config_.momentum, .nesterov = config_.nesterov},
            {.segments = segments_.data(),
             .n_segments = static_cast<int64_t>(segments_.size()),
             .control = control,
             .grad = model.gradients().data<float>(),
             .momentum = model.momentum().data<float>(),
             .master = model.values().data<float>(),
             .working = model.working().data<bf16>()});
}

// Q(g), update, Q(w), Q(v): docs/method.md 5.2.
void Sgd::update_blocks(Model& m, const kernels::Sgd::Control* control) const {
  const auto& sgd = kernels::sgd(m.device());
  const auto n = static_cast<int64_t>(segments_.size());
  auto *g = m.gradients().data<float>(), *w = m.values().data<float>();
  sgd.prepare(segments_.data(), n, control, w, g);
  m.blocks()->round_gradients(m.arenas(), m.step());
  sgd.step({.momentum = config_.momentum, .nesterov = config_.nesterov, .prepared = true},
           {.segments = segments_.data(),
            .n_segments = n,
            .control = control,
            .grad = g,
            .momentum = m.momentum().data<float>(),
            .master = w});
  m.blocks()->round_update(m.arenas(), &control->finite, m.step());
  if (m.working().defined())
    kernels::elementwise(m.device()).cast(m.values().size(), DType::f32, w, DType::bf16, m.working().raw());
}

bool Sgd::step(Model& model, float lr) const {
  const Device device = model.device();
  const Tensor state = step_state(device);
  auto* s = state.data<kernels::StepState>();
  kernels::step_control(device).begin(s, lr, 0);
  update(model, state, {Tensor::zeros({1}, DType::f32, device), Tensor::zeros({2}, DType::i32, device)}, 0);
  model.values_changed(false);
  return state.item<kernels::StepState>().update.finite != 0;
}

}  // namespace eb::engine
