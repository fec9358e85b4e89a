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

size_t workspace_bytes(const Linear::Params& p, Linear::Direction d) {
  return conv2d.workspace_bytes(as_conv(p), d);
}
void forward(const Linear::Params& p, const Linear::Forward& a) {
  conv2d_forward(as_conv(p), {.x = a.x, .w = a.w, .b = a.b, .y = a.y, .workspace = a.workspace});
}
void backward_data(const Linear::Params& p, const Linear::BackwardData& a) {
  conv2d_backward_data(as_conv(p), {.dy = a.dy, .w = a.w, .dx = a.dx, .workspace = a.workspace});
}
void backward_weight(const Linear::Params& p, const Linear::BackwardWeight& a) {
  conv2d_backward_weight(as_conv(p),
                         {.x = a.x, .dy = a.dy, .dw = a.dw, .db = a.db, .workspace = a.workspace});
}

}  // namespace

const Linear linear{.workspace_bytes = workspace_bytes,
                    .forward = forward,
                    .backward_data = backward_data,
                    .backward_weight = backward_weight};

}  // namespace eb::kernels::cuda
