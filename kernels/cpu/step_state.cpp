#include "kernels/step_state.h"

#include <cmath>

namespace eb::kernels::cpu {
namespace {

void begin(StepState* state, float lr, uint32_t step) {
  state->update.lr = lr;
  state->step = step;
}

void count(int64_t samples, const float* loss, const int32_t* counts, StepState* state) {
  count_step(samples, *loss, counts[0], counts[1], *state);
}

void judge(const StepControl::Params& p, const StepControl::Judge& a) {
  judge_step(p, *a.loss, a.counts[0], a.counts[1], *a.finite != 0, a.squares ? std::sqrt(*a.squares) : 0.,
             *a.state);
}

}  // namespace

const StepControl step_control{.begin = begin, .count = count, .judge = judge};

}  // namespace eb::kernels::cpu
