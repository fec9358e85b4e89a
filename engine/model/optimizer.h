// SGD over the parameter arena: one fused kernel for the whole model, gated by a finite flag.
#pragma once
#include <optional>
#include <vector>

#include "engine/model/model.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "kernels/step_state.h"

namespace eb::engine {

Tensor step_state(Device device);  // one fresh kernels::StepState

// Losses and counts of a batch's shards, (shards, 5) as kernels::StepControl::slot leaves them.
struct ShardLosses {
  const float* slots;
  int64_t shards;
};

class Sgd {
 public:
  struct Config {
    float momentum = 0.9f, weight_decay = 1e-4f;
    float l1 = 0.f;  // on batch norm scales: gradient += l1 * sign(gamma) (docs/method.md 4.1)
    bool nesterov = false;
    bool decay_bn = true;  // weight decay on batch norm parameters and biases too, as the reference does
    std::optional<float> clip_norm;  // of the whole gradient's 2-norm
  };

  Sgd(const Model& model, const Config& config);
  // Queues the update of `model`, which must have the layout this was made for, by its gradient arena.
  // `state` (one kernels::StepState on the model's device) holds the learning rate; the step of `samples`
  // samples is judged and counted there, and a bad one changes nothing else.
  void update(Model& model, const Tensor& state, const LossResult& loss, int64_t samples) const;
  void update(Model& model, const Tensor& state, const ShardLosses& losses, int64_t samples) const;
  // The same for gradients without a loss, waited for. False: one was not finite and nothing was changed.
  bool step(Model& model, float lr) const;

 private:
  // Of the gradient arena, on the device.
  struct Judged {
    Tensor finite;   // (1) i32
    Tensor squares;  // (1) f64, undefined without clip_norm
  };
  Judged judge(const Model& model) const;
  kernels::StepControl::Params params(int64_t samples) const;
  void apply(Model& model, const Tensor& state) const;
  void update_blocks(Model& model, const kernels::Sgd::Control* control) const;

  Config config_;
  std::vector<kernels::Sgd::Segment> segments_;
};

}  // namespace eb::engine
