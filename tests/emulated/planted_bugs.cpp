// Small kernels with one mistake each, and their correct twins, for planted_bugs_test.cpp. The correct kernel
// is a reversed tile sum: copy a tile asynchronously to shared memory, read the neighbours' elements.
#define EB_EMULATED 1
#include "emulated/planted_bugs.h"

#include "kernels/cuda/gemm/ptx.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 128, rounds = 6;

struct TwoTiles {
  float tile[2][threads];
};

// y[i] = sum over rounds of x[round][threads - 1 - i], double-buffered.
template <Bug bug>
__global__ void reversed_sum_kernel(const float* x, float* y) {
  auto& s = shared<TwoTiles>();
  const int i = threadIdx.x;
  float sum = 0;
  copy_async<4>(&s.tile[0][i], x + i, true);
  commit_copies();
  for (int round = 0; round < rounds; ++round) {
    if constexpr (bug != Bug::missing_wait) wait_copies<0>();
    if constexpr (bug != Bug::missing_barrier_after_wait) sync_threads();
    if (round + 1 < rounds) {
      copy_async<4>(&s.tile[(round + 1) % 2][i], x + (round + 1) * threads + i, true);
      if constexpr (bug != Bug::missing_commit) commit_copies();
    }
    sum += s.tile[round % 2][threads - 1 - i];
    // The next round's barrier keeps this read ahead of the copy into the same buffer two rounds on; with one
    // buffer it needs a barrier of its own.
    if constexpr (bug == Bug::missing_barrier_before_copy) {
      if (round + 1 < rounds) copy_async<4>(&s.tile[round % 2][i], x + (round + 1) * threads + i, true);
    }
  }
  y[i] = sum;
}

template <Bug bug>
__global__ void misuse_kernel(const float* x, float* y) {
  auto& s = shared<TwoTiles>();
  const int i = threadIdx.x;
  s.tile[0][i] = x[i];
  float v = x[i];
  if constexpr (bug == Bug::divergent_barrier) {
    if (i % 2)
      sync_threads();
    else
      sync_threads();
  }
  if constexpr (bug == Bug::barrier_in_a_branch) {
    if (i < 32) sync_threads();
  }
  if constexpr (bug == Bug::shared_out_of_bounds) s.tile[1][threads + i] = 1.f;
  if constexpr (bug == Bug::global_out_of_bounds) v += x[rounds * threads + i];
  if constexpr (bug == Bug::uninitialised_shared) v += s.tile[1][i];
  if constexpr (bug == Bug::shuffle_mask_leaves_out_caller) v += shuffle_xor(0xffffu, v, 1);
  if constexpr (bug == Bug::shuffle_from_absent_lane) {
    if (i % 32 < 16) v += shuffle(0xffffu, v, 20);
  }
  if constexpr (bug == Bug::shuffle_under_divergence) {
    if (i % 32 < 16) v += shuffle_xor(full_warp, v, 1);
  }
  if constexpr (bug == Bug::different_collectives) {
    if (i % 2)
      v += shuffle_xor(full_warp, v, 2);
    else
      v += static_cast<float>(ballot(full_warp, true));
  }
  if constexpr (bug == Bug::misaligned_copy) copy_async<16>(&s.tile[1][1], x, true);
  if constexpr (bug == Bug::copy_outside_shared) copy_async<4>(y + i, x + i, true);
  sync_threads();
  y[i] = v;
}

template <Bug bug>
void run(const float* x, float* y) {
  if constexpr (bug < Bug::divergent_barrier)
    launch({"reversed_sum", 1, threads, sizeof(TwoTiles)}, reversed_sum_kernel<bug>, x, y);
  else
    launch({"misuse", 1, threads, sizeof(TwoTiles)}, misuse_kernel<bug>, x, y);
}

template <int... bugs>
void run_any(Bug bug, const float* x, float* y, std::integer_sequence<int, bugs...>) {
  ((static_cast<int>(bug) == bugs ? run<static_cast<Bug>(bugs)>(x, y) : void()), ...);
}

}  // namespace

int planted_input_size() {
  return rounds * threads;
}
int planted_output_size() {
  return threads;
}

void run_planted(Bug bug, const float* x, float* y) {
  run_any(bug, x, y, std::make_integer_sequence<int, static_cast<int>(Bug::count)>());
}

}  // namespace eb::kernels::cuda
