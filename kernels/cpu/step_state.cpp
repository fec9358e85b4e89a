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

void judge(const StepControl::Params& p, const float* loss, const int32_t* counts, const int32_t* finite,
           const double* squares, StepState* state) {
  judge_step(p, *loss, counts[0], counts[1], *finite != 0, squares ? std::sqrt(*squares) : 0., *state);
}

}  // namespace

const StepControl step_control{.begin = begin, .count = count, .judge = judge};

}  // namespace eb::kernels::cpu
