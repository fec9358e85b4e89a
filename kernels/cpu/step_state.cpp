#include "kernels/step_state.h"

#include <cmath>

#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

void begin(StepState* state, float lr, uint32_t step) {
  state->update.lr = lr;
  state->step = step;
}

void judge(const StepControl::Params& p, const StepControl::Judge& a) {
  judge_step(p, *a.loss, a.counts[0], a.counts[1], *a.finite != 0, a.squares ? std::sqrt(*a.squares) : 0.,
             *a.state);
}

void slot(int64_t samples, const float* loss, const int32_t* counts, float* slot) {
  fill_slot(samples, *loss, counts[0], counts[1], slot);
}

void judge_shards(const StepControl::Params& p, const StepControl::JudgeShards& a) {
  judge_slots(p, a, *a.finite != 0, a.squares ? std::sqrt(*a.squares) : 0., *a.state);
}

void running(int64_t n, const float* factor, const float* of_batch, const StepState* state, float* running) {
  if (state && !state->update.finite) return;
  parallel_ranges(n, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) update_running(factor[i], of_batch[i], running[i]);
  });
}

}  // namespace

const StepControl step_control{
    .begin = begin, .judge = judge, .slot = slot, .judge_shards = judge_shards, .running = running};

}  // namespace eb::kernels::cpu
