// One thread each, but for the running statistics: numbers that would cost the step a round trip to the host.
#include "kernels/step_state.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

__global__ void begin_kernel(StepState* state, float lr, uint32_t step) {
  state->update.lr = lr;
  state->step = step;
}

__global__ void judge_kernel(StepControl::Params p, StepControl::Judge a) {
  judge_step(p, *a.loss, a.counts[0], a.counts[1], *a.finite != 0, a.squares ? sqrt(*a.squares) : 0.,
             *a.state);
}

__global__ void slot_kernel(int64_t samples, const float* loss, const int32_t* counts, float* slot) {
  fill_slot(samples, *loss, counts[0], counts[1], slot);
}

__global__ void judge_shards_kernel(StepControl::Params p, StepControl::JudgeShards a) {
  judge_slots(p, a, *a.finite != 0, a.squares ? sqrt(*a.squares) : 0., *a.state);
}

constexpr int threads = 256;

__global__ void running_kernel(int64_t n, const float* factor, const float* of_batch, const StepState* state,
                               float* running) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n || (state && !state->update.finite)) return;
  update_running(factor[i], of_batch[i], running[i]);
}

void begin(StepState* state, float lr, uint32_t step) {
  launch({"begin_step", 1, 1}, begin_kernel, state, lr, step);
}

void judge(const StepControl::Params& p, const StepControl::Judge& a) {
  launch({"judge_step", 1, 1}, judge_kernel, p, a);
}

void slot(int64_t samples, const float* loss, const int32_t* counts, float* slot) {
  launch({"fill_slot", 1, 1}, slot_kernel, samples, loss, counts, slot);
}

void judge_shards(const StepControl::Params& p, const StepControl::JudgeShards& a) {
  launch({"judge_shards", 1, 1}, judge_shards_kernel, p, a);
}

void running(int64_t n, const float* factor, const float* of_batch, const StepState* state, float* running) {
  if (n == 0) return;
  launch({"update_running", blocks_for(n, threads), threads}, running_kernel, n, factor, of_batch, state,
         running);
}

}  // namespace

const StepControl step_control{
    .begin = begin, .judge = judge, .slot = slot, .judge_shards = judge_shards, .running = running};

}  // namespace eb::kernels::cuda
