// dx <- dy, w as an implicit GEMM (conv2d_pixel_calls.cuh), unless it is depthwise.
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_depthwise.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_pixel_calls.cuh"

namespace eb::kernels::cuda {

void conv2d_backward_data(const Conv2d::Params& p, const Conv2d::BackwardData& a) {
  if (is_depthwise(p)) return depthwise_backward_data(p, a.dy, a.w, a.dx);
  if (hopper_suits(p, Conv2d::Direction::backward_data, device_limits()))
    return conv2d_backward_data_hopper(p, a);
  by_math_and_width(p, [&]<class Math, int width>() {
    using T = typename Math::T;
    backward_data_pixels<Math, T, T, width>(p, static_cast<const T*>(a.dy), static_cast<const T*>(a.w), a.dx);
  });
}

}  // namespace eb::kernels::cuda
