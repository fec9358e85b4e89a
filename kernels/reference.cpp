#include "kernels/reference.h"

#include "kernels/built_libraries.h"

namespace eb::kernels {

static VendorLibrary not_built(const std::string& name, const std::string& header) {
  return {.problem = "this build was compiled without " + name,
          .remedy = "build where nvcc and " + header + " are found"};
}

const VendorLibrary& cudnn_library() {
  static const VendorLibrary none = not_built("cuDNN", "cudnn.h");
  if constexpr (built::cudnn) return cuda::cudnn_library();
  return none;
}

const VendorLibrary& cublas_library() {
  static const VendorLibrary none = not_built("cuBLAS", "cublas_v2.h");
  if constexpr (built::cublas) return cuda::cublas_library();
  return none;
}

const Conv2d* library_conv2d([[maybe_unused]] Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda && cudnn_library().problem.empty()) return &cuda::cudnn_conv2d;
  return nullptr;
}

const Conv2d* reference_conv2d([[maybe_unused]] Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda && cudnn_library().problem.empty()) return &cuda::cudnn_conv2d_measured;
  return nullptr;
}

const Linear* reference_linear([[maybe_unused]] Device d) {
  if constexpr (built::cublas)
    if (d == Device::cuda && cublas_library().problem.empty()) return &cuda::cublas_linear;
  return nullptr;
}

}  // namespace eb::kernels
