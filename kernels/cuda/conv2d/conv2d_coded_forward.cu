// y of the exact path (conv2d_coded.cuh).
#include "kernels/cuda/conv2d/conv2d_coded.cuh"
#include "kernels/cuda/conv2d/conv2d_pixel_calls.cuh"

namespace eb::kernels::cuda {

using Operand = Conv2dInt8::Operand;

void conv2d_coded_forward(const Conv2d::Params& p, const Operand& x, const Operand& w, const float* b,
                          void* y, uint32_t* largest) {
  if (largest) clear_largest(p.n, largest);
  const int64_t c = p.c / p.groups;
  by_out_and_width(p, in_eights(x, c) && in_eights(w, c), [&]<class Out, int width>() {
    forward_pixels<Bf16Math, Coded, Out, width>(p, CodePointer(x), CodePointer(w), b, y, nullptr, largest);
  });
}

}  // namespace eb::kernels::cuda
