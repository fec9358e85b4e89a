#include "engine/train/trainer.h"

#include "engine/base/clock.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/autograd.h"

namespace eb::engine {

using kernels::StepState;

Trainer::Trainer(Model model, const TrainConfig& config, int64_t steps_per_epoch)
    : model_(std::move(model)),
      config_(config),
      optimizer_(model_, config.optimizer),
      steps_per_epoch_(steps_per_epoch),
      total_steps_(config.duration.in_steps(steps_per_epoch)),
      state_(step_state(model_.device())),
      capture_(model_.device()) {
  model_.deterministic = config.deterministic;
  attach_step();
}

void Trainer::attach_step() {
  model_.set_step(&state_.data<StepState>()->step);
}

// A captured step reads its input where it found it the first time.
Trainer::Input Trainer::place(const Batch& batch) {
  const Device device = model_.device();
  if (batch.images.device() == device) return {batch.images, batch.labels};
  Input& input = inputs_[batch.size()];
  if (!input.images.defined() || input.images.shape() != batch.images.shape())
    input = {Tensor::empty(batch.images.shape(), batch.images.dtype(), device),
             Tensor::empty(batch.labels.shape(), batch.labels.dtype(), device)};
  input.images.copy_from(batch.images);
  input.labels.copy_from(batch.labels);
  return input;
}

void Trainer::queue_step(const Input& input) {
  const double start = seconds_now();
  const size_t before = allocator_stats(model_.device()).in_use;
  const Tensor logits = model_.forward(input.images, Mode::train);
  activation_bytes_ = allocator_stats(model_.device()).in_use - before;
  const LossResult loss = softmax_cross_entropy(logits, input.labels, config_.label_smoothing);
  const double forward_end = seconds_now();
  backward(loss.loss);
  const double backward_end = seconds_now();
  for (StepHook* hook : hooks_) hook->after_backward(model_);
  optimizer_.update(model_, state_, loss, input.labels.size());
  for (StepHook* hook : hooks_) hook->after_update(model_);
  if (model_.device() == Device::cpu)
    step_seconds_ = {forward_end - start, backward_end - forward_end, seconds_now() - backward_end};
}

void Trainer::advance(const Batch& batch) {
  const Input input = place(batch);
  kernels::step_control(model_.device()).begin(state_.data<StepState>(), lr(), static_cast<uint32_t>(steps_));
  if (capturable())
    capture_.run(input.images, [&] { queue_step(input); });
  else
    queue_step(input);
  model_.values_changed(false);
  ++steps_;
}

bool Trainer::capturable() const {
  for (const StepHook* hook : hooks_)
    if (!hook->capturable()) return false;
  return true;
}

StepTotals Trainer::totals() const {
  const auto s = state_.item<StepState>();
  StepTotals t{s.loss_sum, s.top1, s.top5, s.samples, s.loss};
  if (s.bad_step >= 0) t.bad_step = totals_start_ + s.bad_step;
  return t;
}

void Trainer::reset_totals(const StepTotals& to) {
  StepState s;
  s.loss_sum = to.loss, s.top1 = to.top1, s.top5 = to.top5, s.samples = to.samples;
  kernels::memory(model_.device()).to_device(state_.raw(), &s, sizeof s);
  totals_start_ = steps_;
}

StepResult Trainer::step(const Batch& batch) {
  const StepTotals before = totals();
  advance(batch);
  StepTotals after = totals();
  StepResult r{after.last_loss, after.top1 - before.top1, after.top5 - before.top5, batch.size()};
  r.finite = !after.bad_step;
  if (r.finite) return r;
  --steps_;
  reset_totals(before);
  return r;
}

void Trainer::replace_model(Model model) {
  model.run_like(model_);
  model_ = std::move(model);
  optimizer_ = Sgd(model_, config_.optimizer);
  attach_step();
  capture_.reset();
}

float Trainer::lr_at(int64_t step) const {
  return config_.lr * config_.schedule.factor(step - schedule_start_, steps_per_epoch_, total_steps_);
}

void Trainer::set_precision(const Precision& precision) {
  model_.set_precision(precision);
  capture_.reset();
}

void Trainer::set_l1(float l1) {
  config_.optimizer.l1 = l1;
  optimizer_ = Sgd(model_, config_.optimizer);
  capture_.reset();
}

}  // namespace eb::engine
