// dx of the exact path (conv2d_coded.cuh).
#include "kernels/cuda/conv2d/conv2d_coded.cuh"
#include "kernels/cuda/conv2d/conv2d_pixel_calls.cuh"

namespace eb::kernels::cuda {

using Operand = Conv2dInt8::Operand;

void conv2d_coded_backward_data(const Conv2d::Params& p, const Operand& dy, const Operand& w, void* dx) {
  by_out_and_width(
      p, in_eights(dy, p.k / p.groups) && in_eights(w, p.c / p.groups), [&]<class Out, int width>() {
        backward_data_pixels<Bf16Math, Coded, Out, width>(p, CodePointer(dy), CodePointer(w), dx);
      });
}

}  // namespace eb::kernels::cuda
