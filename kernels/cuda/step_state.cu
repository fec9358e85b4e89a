// One thread each: numbers that would cost the step a round trip to the host.
#include "kernels/step_state.h"

#include "kernels/cuda/platform/platform.cuh"

namespace eb::kernels::cuda {

namespace {

__global__ void begin_kernel(StepState* state, float lr, uint32_t step) {
  state->update.lr = lr;
  state->step = step;
}

__global__ void count_kernel(int64_t samples, const float* loss, const int32_t* counts, StepState* state) {
  count_step(samples, *loss, counts[0], counts[1], *state);
}

__global__ void judge_kernel(StepControl::Params p, StepControl::Judge a) {
  judge_step(p, *a.loss, a.counts[0], a.counts[1], *a.finite != 0, a.squares ? sqrt(*a.squares) : 0.,
             *a.state);
}

void begin(StepState* state, float lr, uint32_t step) {
  launch({"begin_step", 1, 1}, begin_kernel, state, lr, step);
}

void count(int64_t samples, const float* loss, const int32_t* counts, StepState* state) {
  launch({"count_step", 1, 1}, count_kernel, samples, loss, counts, state);
}

void judge(const StepControl::Params& p, const StepControl::Judge& a) {
  launch({"judge_step", 1, 1}, judge_kernel, p, a);
}

}  // namespace

const StepControl step_control{.begin = begin, .count = count, .judge = judge};

}  // namespace eb::kernels::cuda
