// One training step, written as the algorithm reads. Pruning and quant enter through StepHooks and by
// replacing the model; the trainer knows neither.
#pragma once
#include <vector>

#include "engine/batch.h"
#include "engine/model.h"
#include "engine/train_config.h"

namespace eb::engine {

class StepHook {
 public:
  virtual ~StepHook() = default;
  virtual void after_backward(Model&) {}  // gradients are complete, nothing is updated yet
  virtual void after_update(Model&) {}
};

struct StepResult {
  double loss = 0;  // mean over the batch
  int64_t top1 = 0, top5 = 0, samples = 0;
  bool finite = true;  // false: loss or a gradient was not finite and no parameter was changed
};

class Trainer {
 public:
  Trainer(Model model, const TrainConfig& config, int64_t steps_per_epoch);

  StepResult step(const Batch& batch);

  Model& model() { return model_; }
  const Model& model() const { return model_; }
  void replace_model(Model model);  // the optimizer follows; momentum is the new model's own
  void add_hook(StepHook* hook) { hooks_.push_back(hook); }

  int64_t steps() const { return steps_; }
  int64_t end() const { return schedule_start_ + total_steps_; }
  float lr() const;  // of the next step
  void restart_schedule() {
    schedule_start_ = steps_;
  }  // the whole duration again from here (re-init, rewind)
  int64_t schedule_start() const { return schedule_start_; }
  void restore(int64_t steps, int64_t schedule_start) { steps_ = steps, schedule_start_ = schedule_start; }
  void set_l1(float l1);

 private:
  Model model_;
  TrainConfig config_;
  Sgd optimizer_;
  std::vector<StepHook*> hooks_;
  int64_t steps_per_epoch_, total_steps_, steps_ = 0, schedule_start_ = 0;
};

}  // namespace eb::engine
