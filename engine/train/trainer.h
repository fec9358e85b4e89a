// One training step, written as the algorithm reads. Pruning and quant enter through StepHooks and by
// replacing the model; the trainer knows neither.
#pragma once
#include <optional>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/batch.h"
#include "engine/train/data_parallel.h"
#include "engine/train/shard_sum.h"
#include "engine/train/step_capture.h"
#include "engine/train/train_config.h"
#include "kernels/step_state.h"

namespace eb::engine {

class StepHook {
 public:
  virtual ~StepHook() = default;
  virtual void after_backward(Model&) {}  // gradients are complete, nothing is updated yet
  virtual void after_update(Model&) {}
  virtual bool capturable() const { return false; }  // does the same device work in each step and never waits
};

struct StepResult {
  double loss = 0;  // mean over the batch
  int64_t top1 = 0, top5 = 0, samples = 0;
  bool finite = true;  // false: loss or a gradient was not finite and no parameter was changed
};

struct StepSeconds {
  double forward = 0, backward = 0, optimizer = 0;  // the loss belongs to forward
  double reduce = 0;                                // adding up shards and ranks, waiting for them included
};

// Sums over the samples of all steps since reset_totals().
struct StepTotals {
  double loss = 0;
  int64_t top1 = 0, top5 = 0, samples = 0;
  double last_loss = 0;                   // of the last step alone, mean over its batch
  std::optional<int64_t> bad_step = {};   // number of the first step that was not finite: it and all later
                                          // ones changed no parameter
  std::optional<int64_t> bad_shard = {};  // of that step: the first whose loss was not finite
};

class Trainer {
 public:
  Trainer(Model model, const TrainConfig& config, int64_t steps_per_epoch, const DataParallel& parallel = {});

  // Queues one step; on a card nothing waits for it. `batch` holds this rank's samples.
  void advance(const Batch& batch);
  StepTotals totals() const;  // waits for the device
  void reset_totals(const StepTotals& to = {});
  StepResult step(const Batch& batch);  // advance, and wait for what came of it

  Model& model() { return model_; }
  const Model& model() const { return model_; }
  void replace_model(Model model);  // the optimizer follows; momentum is the new model's own
  void add_hook(StepHook* hook) { hooks_.push_back(hook); }
  const StepCapture& capture() const { return capture_; }
  void set_capture(bool enabled) { capture_.enabled = enabled; }

  // Bytes that the last step that was not replayed kept from its forward pass for the backward pass.
  size_t activation_bytes() const { return activation_bytes_; }

  // Of the last step, on the CPU; a card is not waited for, and replays a step as a whole.
  std::optional<StepSeconds> step_seconds() const { return step_seconds_; }

  int64_t steps() const { return steps_; }
  int64_t end() const { return schedule_start_ + total_steps_; }
  float lr() const { return lr_at(steps_); }                                      // of the next step
  float last_lr() const { return lr_at(std::max(schedule_start_, steps_ - 1)); }  // of the step before
  float lr_at(int64_t step) const;
  void restart_schedule() {
    schedule_start_ = steps_;
  }  // the whole duration again from here (re-init, rewind)
  int64_t schedule_start() const { return schedule_start_; }
  void restore(int64_t steps, int64_t schedule_start) { steps_ = steps, schedule_start_ = schedule_start; }
  void set_l1(float l1);
  void set_precision(const Precision& precision);

 private:
  struct Input {
    Tensor images, labels;
  };
  void attach_step();
  Input place(const Batch& batch);
  void queue_step(const Input& input);
  void queue_shards(const Input& input, int64_t total);
  void queue_shard(const Input& mine, const Range& positions, int64_t total, float* slot,
                   StepSeconds& seconds);
  float* slots() const;
  bool capturable() const;

  Model model_;
  TrainConfig config_;
  DataParallel parallel_;
  Sgd optimizer_;
  ShardSum sum_;                // of gradients and tail
  Tensor statistics_momentum_;  // Model's
  std::vector<StepHook*> hooks_;
  int64_t steps_per_epoch_, total_steps_, steps_ = 0, schedule_start_ = 0;
  Tensor state_;                     // one kernels::StepState on the model's device
  int64_t totals_start_ = 0;         // steps_ when the sums began
  std::map<int64_t, Input> inputs_;  // by batch size: where batches from the host are put
  StepCapture capture_;
  size_t activation_bytes_ = 0;
  std::optional<StepSeconds> step_seconds_;
};

}  // namespace eb::engine
