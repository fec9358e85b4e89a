// The convolution contract on tensor cores. Weights are read as they are (OHWI): nothing is packed.
#include "kernels/cuda/conv2d/conv2d.cuh"

#include "kernels/cuda/conv2d/conv2d_hopper.cuh"

namespace eb::kernels::cuda {

namespace {

size_t packed_bytes(const Conv2d::Params&, Conv2d::Direction) {
  return 0;
}
void pack(const Conv2d::Params&, Conv2d::Direction, const void*, void*, void*) {}

}  // namespace

size_t conv2d_workspace(const Conv2d::Params& p, Conv2d::Direction d) {
  if (d == Conv2d::Direction::backward_weight) return conv2d_backward_weight_workspace(p);
  return hopper_suits(p, d, device_limits()) ? conv2d_hopper_workspace(p, d) : 0;
}

const Conv2d conv2d{.workspace_bytes = conv2d_workspace,
                    .packed_bytes = packed_bytes,
                    .pack = pack,
                    .moment_rows = conv2d_moment_rows,
                    .forward = conv2d_forward,
                    .backward_data = conv2d_backward_data,
                    .backward_weight = conv2d_backward_weight};

}  // namespace eb::kernels::cuda
