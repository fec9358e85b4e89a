// The convolution contract on tensor cores. Weights are read as they are (OHWI): nothing is packed.
#include "kernels/cuda/conv2d/conv2d.cuh"

namespace eb::kernels::cuda {

namespace {

size_t workspace_bytes(const Conv2d::Params& p, Conv2d::Direction d) {
  return d == Conv2d::Direction::backward_weight ? conv2d_backward_weight_workspace(p) : 0;
}
size_t packed_bytes(const Conv2d::Params&, Conv2d::Direction) {
  return 0;
}
void pack(const Conv2d::Params&, Conv2d::Direction, const void*, void*, void*) {}

}  // namespace

const Conv2d conv2d{.workspace_bytes = workspace_bytes,
                    .packed_bytes = packed_bytes,
                    .pack = pack,
                    .moment_rows = conv2d_moment_rows,
                    .forward = conv2d_forward,
                    .backward_data = conv2d_backward_data,
                    .backward_weight = conv2d_backward_weight};

}  // namespace eb::kernels::cuda
