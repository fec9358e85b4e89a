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
};

struct StepControl {
  struct Params {
    int64_t samples = 0;
    double clip_norm = 0;  // of the whole gradient's 2-norm; 0: none
  };
  // Learning rate and number of the next step. Passed by value, so a captured step replays with any.
  void (*begin)(StepState* state, float lr, uint32_t step);
  // state's sums += loss (1), counts (2: top1, top5): the samples of an evaluation.
  void (*count)(int64_t samples, const float* loss, const int32_t* counts, StepState* state);
  // The same for a training step. A bad step is not counted, forbids its own update and every later one.
  struct Judge {
    const float* loss;                // (1)
    const int32_t* counts;            // (2) top1, top5
    const int32_t* finite;            // (1) of the gradients
    const double* squares = nullptr;  // (1) sum of the gradients'; null without clip_norm
    StepState* state;                 // (1)
  };
  void (*judge)(const Params&, const Judge&);
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
constexpr void count_step(int64_t samples, float loss, int32_t top1, int32_t top5, StepState& s) {
  s.loss_sum += static_cast<double>(loss) * static_cast<double>(samples);
  s.top1 += top1;
  s.top5 += top5;
  s.samples += samples;
}

constexpr void judge_step(const StepControl::Params& p, float loss, int32_t top1, int32_t top5, bool finite,
                          double gradient_norm, StepState& s) {
  const bool good = finite && loss - loss == 0;  // infinity and NaN differ from themselves
  s.loss = loss;
  if (!good && s.bad_step < 0) s.bad_step = s.steps;
  s.steps += 1;
  s.update.finite = s.bad_step < 0;
  s.update.grad_scale =
      p.clip_norm > 0 && gradient_norm > p.clip_norm ? static_cast<float>(p.clip_norm / gradient_norm) : 1.f;
  if (s.bad_step < 0) count_step(p.samples, loss, top1, top5, s);
}

}  // namespace eb::kernels
