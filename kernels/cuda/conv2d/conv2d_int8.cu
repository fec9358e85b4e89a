// The contract of int8 convolutions. Backward-weight has no integer path here: its reduction runs over
// pixels, which are contiguous in neither operand, and bytes cannot be transposed on their way into the
// multiplier.
#include "kernels/cuda/conv2d/conv2d_int8.cuh"

namespace eb::kernels::cuda {

namespace {

using Direction = Conv2d::Direction;
using Path = Conv2dInt8::Path;

bool has_integer(const Conv2d::Params& p, Direction d, int64_t first, int64_t second) {
  return d != Direction::backward_weight && integer_allowed(p, d, first, second);
}

size_t workspace_bytes(const Conv2d::Params& p, Direction d, Path path) {
  if (path == Path::exact) return conv2d_exact_workspace(p, d);
  return d == Direction::backward_data ? conv2d_int8_transposed_bytes(p) : 0;
}

void forward(const Conv2d::Params& p, Path path, const Conv2dInt8::Forward& a) {
  if (path == Path::exact)
    conv2d_exact_forward(p, a);
  else
    conv2d_int8_forward(p, a.x, a.w, a.b, a.y, a.largest);
}

void backward_data(const Conv2d::Params& p, Path path, const Conv2dInt8::BackwardData& a) {
  if (path == Path::exact)
    conv2d_exact_backward_data(p, a);
  else
    conv2d_int8_backward_data(p, a.dy, a.w, a.dx, a.workspace);
}

void backward_weight(const Conv2d::Params& p, Path, const Conv2dInt8::BackwardWeight& a) {
  conv2d_exact_backward_weight(p, a);
}

}  // namespace

const Conv2dInt8 conv2d_int8{.has_integer = has_integer,
                             .workspace_bytes = workspace_bytes,
                             .forward = forward,
                             .backward_data = backward_data,
                             .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
