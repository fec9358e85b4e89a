#include "engine/trainer.h"

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/softmax_cross_entropy.h"

namespace eb::engine {

Trainer::Trainer(Model model, const TrainConfig& config, int64_t steps_per_epoch)
    : model_(std::move(model)),
      config_(config),
      optimizer_(model_, config.optimizer),
      steps_per_epoch_(steps_per_epoch),
      total_steps_(config.duration.in_steps(steps_per_epoch)) {
  model_.deterministic = config.deterministic;
}

StepResult Trainer::step(const Batch& batch) {
  const Device device = model_.device();
  const Tensor logits = model_.forward(batch.images.to(device), Mode::train);
  const LossResult result = softmax_cross_entropy(logits, batch.labels.to(device), config_.label_smoothing);
  StepResult r{0, 0, 0, batch.size()};
  const auto read = [&] { r.loss = result.value(), r.top1 = result.top1(), r.top5 = result.top5(); };
  // Elsewhere the loss is read after the update, which a gradient that is not finite forbids, so that the
  // device is waited for once.
  if (device == Device::cpu) {
    read();
    if (!std::isfinite(r.loss)) return r.finite = false, r;
  }
  backward(result.loss);
  for (StepHook* hook : hooks_) hook->after_backward(model_);
  r.finite = optimizer_.step(model_, lr());
  if (device != Device::cpu) {
    read();
    r.finite = r.finite && std::isfinite(r.loss);
  }
  if (!r.finite) return r;
  for (StepHook* hook : hooks_) hook->after_update(model_);
  ++steps_;
  return r;
}

void Trainer::replace_model(Model model) {
  const bool deterministic = model_.deterministic;
  model_ = std::move(model);
  model_.deterministic = deterministic;
  optimizer_ = Sgd(model_, config_.optimizer);
}

float Trainer::lr() const {
  return config_.lr * config_.schedule.factor(steps_ - schedule_start_, steps_per_epoch_, total_steps_);
}

void Trainer::set_l1(float l1) {
  config_.optimizer.l1 = l1;
  optimizer_ = Sgd(model_, config_.optimizer);
}

}  // namespace eb::engine
