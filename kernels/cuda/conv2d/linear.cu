// A linear layer is a 1x1 convolution over a map of one pixel.
#include "kernels/linear.h"

#include "kernels/cuda/conv2d/conv2d.cuh"

namespace eb::kernels::cuda {

namespace {

Conv2d::Params as_conv(const Linear::Params& p) {
  Conv2d::Params c{.dtype = p.dtype, .n = p.n, .h = 1, .w = 1, .c = p.in, .k = p.out, .r = 1, .s = 1};
  c.tf32 = p.tf32;
  return c;
}

void forward(const Linear::Params& p, const void* x, const void* w, const float* b, void* y) {
  conv2d_forward(as_conv(p), {.x = x, .w = w, .b = b, .y = y});
}
void backward_data(const Linear::Params& p, const void* dy, const void* w, void* dx) {
  conv2d_backward_data(as_conv(p), {.dy = dy, .w = w, .dx = dx});
}
void backward_weight(const Linear::Params& p, const void* x, const void* dy, float* dw, float* db) {
  const Conv2d::Params c = as_conv(p);
  void* workspace = scratch(conv2d_backward_weight_workspace(c));
  conv2d_backward_weight(c, {.x = x, .dy = dy, .dw = dw, .db = db, .workspace = workspace});
}

}  // namespace

const Linear linear{.forward = forward, .backward_data = backward_data, .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
