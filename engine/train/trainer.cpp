#include "engine/train/trainer.h"

#include "engine/base/clock.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/autograd.h"

namespace eb::engine {

using kernels::StepState;

constexpr int64_t slot_floats = kernels::StepControl::slot_floats;

Trainer::Trainer(Model model, const TrainConfig& config, int64_t steps_per_epoch,
                 const DataParallel& parallel)
    : model_(std::move(model)),
      config_(config),
      parallel_(parallel),
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
  if (!parallel_.sharded()) return;
  const int64_t gradients = model_.gradients().size(),
                tail = model_.statistics().size() + slot_floats * parallel_.shards;
  model_.set_tail(parallel_.padded(gradients + tail) - gradients);
  sum_ = ShardSum(model_.gradients_and_tail(), parallel_);
  statistics_momentum_ = model_.statistics_momentum();
}

float* Trainer::slots() const {
  return model_.tail().data<float>() + model_.statistics().size();
}

// A captured step reads its input where it found it the first time.
Trainer::Input Trainer::place(const Batch& batch) {
  const Device device = model_.device();
  if (batch.size() == 0 || batch.images.device() == device) return {batch.images, batch.labels};
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

// Adds the seconds since `from` on the CPU, where a kernel is done when it returns; from is now then.
static void lap(double& from, double& total) {
  const double now = seconds_now();
  total += now - from;
  from = now;
}

// One shard's gradients and its tail: batch norm statistics, loss and counts.
void Trainer::queue_shard(const Input& mine, const Range& positions, int64_t total, float* slot,
                          StepSeconds& seconds) {
  double t = seconds_now();
  const size_t before = allocator_stats(model_.device()).in_use;
  const Tensor logits = model_.forward_part(mine.images, positions.first, total);
  activation_bytes_ = std::max(activation_bytes_, allocator_stats(model_.device()).in_use - before);
  const LossResult loss = softmax_cross_entropy(logits, mine.labels, config_.label_smoothing, total);
  kernels::step_control(model_.device())
      .slot(positions.size(), loss.loss.data<float>(), loss.counts.data<int32_t>(), slot);
  lap(t, seconds.forward);
  backward(loss.loss);
  lap(t, seconds.backward);
}

void Trainer::queue_shards(const Input& input, int64_t total) {
  const kernels::Memory& memory = kernels::memory(model_.device());
  const Tensor all = model_.gradients_and_tail(), tail = model_.tail();
  const int64_t first = parallel_.samples_here(total).first;
  StepSeconds seconds;
  activation_bytes_ = 0;
  for (int64_t shard = parallel_.here().first; shard < parallel_.here().last; ++shard) {
    const Range at = positions_of_shard(shard, parallel_.shards, total);
    const Tensor& stale = at.size() ? tail : all;  // a shard without samples adds zeros
    memory.zero(stale.raw(), stale.bytes());
    if (at.size())
      queue_shard(
          {input.images.rows(at.first - first, at.size()), input.labels.rows(at.first - first, at.size())},
          at, total, slots() + shard * slot_floats, seconds);
    double t = seconds_now();
    sum_.add();
    lap(t, seconds.reduce);
    if (parallel_.world) parallel_.world->alive();
  }
  double t = seconds_now();
  sum_.finish();
  lap(t, seconds.reduce);
  for (StepHook* hook : hooks_) hook->after_backward(model_);
  optimizer_.update(model_, state_, ShardLosses{slots(), parallel_.shards}, total);
  kernels::step_control(model_.device())
      .running(model_.statistics().size(), statistics_momentum_.data<float>(), tail.data<float>(),
               state_.data<StepState>(), model_.statistics().data<float>());
  for (StepHook* hook : hooks_) hook->after_update(model_);
  lap(t, seconds.optimizer);
  if (model_.device() == Device::cpu) step_seconds_ = seconds;
}

void Trainer::advance(const Batch& batch) {
  const Input input = place(batch);
  kernels::step_control(model_.device()).begin(state_.data<StepState>(), lr(), static_cast<uint32_t>(steps_));
  const auto queue = [&] { parallel_.sharded() ? queue_shards(input, batch.whole()) : queue_step(input); };
  if (capturable())
    capture_.run(input.images, batch.whole(), queue);
  else
    queue();
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
  if (s.bad_shard >= 0) t.bad_shard = s.bad_shard;
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
  StepResult r{after.last_loss, after.top1 - before.top1, after.top5 - before.top5, batch.whole()};
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
