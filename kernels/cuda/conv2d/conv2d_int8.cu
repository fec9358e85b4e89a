// The contract of int8 convolutions. Backward-weight has no integer path here: its reduction runs over
// pixels, which are contiguous in neither operand, and bytes cannot be transposed on their way into the
// multiplier.
#include "kernels/cuda/conv2d/conv2d_int8.cuh"

namespace eb::kernels::cuda {

namespace {

using Direction = Conv2d::Direction;
using Operand = Conv2dInt8::Operand;
using Path = Conv2dInt8::Path;

bool has_integer(const Conv2d::Params& p, Direction d, int64_t first, int64_t second) {
  return d != Direction::backward_weight && integer_allowed(p, d, first, second);
}

size_t workspace_bytes(const Conv2d::Params& p, Direction d, Path path) {
  if (path == Path::exact) return conv2d_exact_workspace(p, d);
  return d == Direction::backward_data ? conv2d_int8_transposed_bytes(p) : 0;
}

void forward(const Conv2d::Params& p, Path path, const Operand& x, const Operand& w, const float* b, void* y,
             uint32_t* largest, void* workspace) {
  if (path == Path::exact)
    conv2d_exact_forward(p, x, w, b, y, largest, workspace);
  else
    conv2d_int8_forward(p, x, w, b, y, largest);
}

void backward_data(const Conv2d::Params& p, Path path, const Operand& dy, const Operand& w, void* dx,
                   void* workspace) {
  if (path == Path::exact)
    conv2d_exact_backward_data(p, dy, w, dx, workspace);
  else
    conv2d_int8_backward_data(p, dy, w, dx, workspace);
}

void backward_weight(const Conv2d::Params& p, Path, const Operand& x, const Operand& dy, float* dw, float* db,
                     void* workspace) {
  conv2d_exact_backward_weight(p, x, dy, dw, db, workspace);
}

}  // namespace

const Conv2dInt8 conv2d_int8{.has_integer = has_integer,
                             .workspace_bytes = workspace_bytes,
                             .forward = forward,
                             .backward_data = backward_data,
                             .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
