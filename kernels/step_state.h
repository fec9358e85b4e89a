// What a training step keeps on its device, so that no step waits for the host: the update's controls and the
// sums that metrics are made of.
#pragma once
#include "kernels/sgd.h"

namespace eb::kernels {

struct StepState {
  Sgd::Control update;    // of the step at hand; update.finite stays 0 once a step was bad
  uint32_t step = 0;      // number of the step at hand in the run: names its random numbers
  float loss = 0;         // of the last step: mean over its samples
  int64_t steps = 0;      // since the sums began
  int64_t bad_step = -1;  // the first one whose loss or gradient was not finite, counted like steps; -1: none
  double loss_sum = 0;    // over samples
  int64_t top1 = 0, top5 = 0, samples = 0;
  int32_t bad_shard =
      -1;  // of bad_step: the first whose loss was not finite; -1: none, or not judged by shards
};

struct StepControl {
  struct Params {
    int64_t samples = 0;
    double clip_norm = 0;  // of the whole gradient's 2-norm; 0: none
  };
  // Learning rate and number of the next step. Passed by value, so a captured step replays with any.
  void (*begin)(StepState* state, float lr, uint32_t step);
  // state's sums += loss (1), counts (2: top1, top5). A bad step is not counted, forbids its own update and
  // every later one.
  struct Judge {
    const float* loss;                // (1)
    const int32_t* counts;            // (2) top1, top5
    const int32_t* finite;            // (1) of the gradients
    const double* squares = nullptr;  // (1) sum of the gradients'; null without clip_norm
    StepState* state;                 // (1)
  };
  void (*judge)(const Params&, const Judge&);

  // What a shard of a batch has to say, as floats so that it is added up with its gradients: its share of the
  // batch's loss, top1, top5, samples (exact below 2^24), and 1 if the loss is not finite, else 0.
  static constexpr int64_t slot_floats = 5;
  // slot (slot_floats) <- loss (1), counts (2: top1, top5) of a shard of so many samples.
  void (*slot)(int64_t samples, const float* loss, const int32_t* counts, float* slot);
  // As judge, for a batch of Params::samples that was cut into shards: losses and counts are added in double,
  // in the order of shards. The slot of an empty shard is zeros.
  struct JudgeShards {
    const float* slots;  // (shards, slot_floats)
    int64_t shards;
    const int32_t* finite;            // as in Judge
    const double* squares = nullptr;  // as in Judge
    StepState* state;                 // (1)
  };
  void (*judge_shards)(const Params&, const JudgeShards&);
  // running += factor * (of_batch - running), all (n), as BatchNorm's training does; a factor of 0 leaves its
  // element as it is. Not after a bad step of `state`; null: always.
  void (*running)(int64_t n, const float* factor, const float* of_batch, const StepState* state,
                  float* running);
};

namespace cpu {
extern const StepControl step_control;
}
namespace cuda {
extern const StepControl step_control;
}
inline const StepControl& step_control(Device d) {
  return pick<cpu::step_control, cuda::step_control>(d);
}

// The rules themselves, the same on every device.
constexpr void count_step(int64_t samples, float loss, int64_t top1, int64_t top5, StepState& s) {
  s.loss_sum += static_cast<double>(loss) * static_cast<double>(samples);
  s.top1 += top1;
  s.top5 += top5;
  s.samples += samples;
}

constexpr bool is_finite(float v) {
  return v - v == 0;  // infinity and NaN differ from themselves
}

constexpr void judge_step(const StepControl::Params& p, float loss, int64_t top1, int64_t top5, bool finite,
                          double gradient_norm, StepState& s) {
  const bool good = finite && is_finite(loss);
  s.loss = loss;
  if (!good && s.bad_step < 0) s.bad_step = s.steps;
  s.steps += 1;
  s.update.finite = s.bad_step < 0;
  s.update.grad_scale =
      p.clip_norm > 0 && gradient_norm > p.clip_norm ? static_cast<float>(p.clip_norm / gradient_norm) : 1.f;
  if (s.bad_step < 0) count_step(p.samples, loss, top1, top5, s);
}

constexpr void fill_slot(int64_t samples, float loss, int32_t top1, int32_t top5, float* slot) {
  slot[0] = loss;
  slot[1] = static_cast<float>(top1);
  slot[2] = static_cast<float>(top5);
  slot[3] = static_cast<float>(samples);
  slot[4] = is_finite(loss) ? 0.f : 1.f;
}

constexpr void judge_slots(const StepControl::Params& p, const StepControl::JudgeShards& a, bool finite,
                           double gradient_norm, StepState& s) {
  double loss = 0, top1 = 0, top5 = 0;
  int32_t bad_shard = -1;
  for (int64_t i = 0; i < a.shards; ++i) {
    const float* slot = a.slots + i * StepControl::slot_floats;
    loss += static_cast<double>(slot[0]);
    top1 += static_cast<double>(slot[1]);
    top5 += static_cast<double>(slot[2]);
    if (slot[4] != 0 && bad_shard < 0) bad_shard = static_cast<int32_t>(i);
  }
  if (s.bad_step < 0) s.bad_shard = bad_shard;
  judge_step(p, static_cast<float>(loss), static_cast<int64_t>(top1), static_cast<int64_t>(top5),
             finite && bad_shard < 0, gradient_norm, s);
}

constexpr void update_running(float factor, float of_batch, float& running) {
  if (factor != 0) running += factor * (of_batch - running);
}

}  // namespace eb::kernels
