// Kernels with one planted mistake each.
#pragma once

namespace eb::kernels::cuda {

enum class Bug : int {
  none,
  // Wrong numbers under at least one schedule.
  missing_wait,
  missing_commit,
  missing_barrier_after_wait,
  missing_barrier_before_copy,
  // An EmulationError, or AddressSanitizer, under every schedule.
  divergent_barrier,
  barrier_in_a_branch,
  shared_out_of_bounds,
  global_out_of_bounds,
  uninitialised_shared,
  shuffle_mask_leaves_out_caller,
  shuffle_from_absent_lane,
  shuffle_under_divergence,
  different_collectives,
  misaligned_copy,
  copy_outside_shared,
  count
};

int planted_input_size();
int planted_output_size();
// x (planted_input_size), y (planted_output_size)
void run_planted(Bug bug, const float* x, float* y);

}  // namespace eb::kernels::cuda
