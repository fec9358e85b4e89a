// Tensor maps are encoded by the driver, found at run time: the program starts on machines without one.
#include "kernels/cuda/gemm/tensor_map.h"

#include <cuda.h>

#include <cstring>

#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

template <class F>
F driver_function(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result;
  // 12.0 is the first driver with tensor maps.
  check(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result), name);
  if (result != cudaDriverEntryPointSuccess) check(cudaErrorInsufficientDriver, name);
  return reinterpret_cast<F>(found);
}

CUtensorMapDataType type_of(int element_bytes) {
  return element_bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
}

TensorMap opaque(const CUtensorMap& map) {
  static_assert(sizeof(TensorMap) == sizeof map && alignof(TensorMap) >= alignof(CUtensorMap));
  TensorMap result;
  std::memcpy(&result, &map, sizeof map);
  return result;
}

void check_encoded(CUresult code, const char* what) {
  if (code != CUDA_SUCCESS) check(cudaErrorInvalidValue, what);
}

}  // namespace

TensorMap tensor_map(const BoxTensor& t) {
  static const auto encode = driver_function<decltype(&cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  cuuint64_t extent[3], stride[2];
  cuuint32_t box[3], step[3] = {1, 1, 1};
  for (int i = 0; i < 3; ++i) {
    extent[i] = static_cast<cuuint64_t>(t.extent[i]);
    box[i] = static_cast<cuuint32_t>(t.box[i]);
  }
  stride[0] = extent[0] * static_cast<cuuint64_t>(t.element_bytes);
  stride[1] = extent[1] * stride[0];
  CUtensorMap map;
  check_encoded(encode(&map, type_of(t.element_bytes), 3, const_cast<void*>(t.data), extent, stride, box,
                       step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                       CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
                "cuTensorMapEncodeTiled");
  return opaque(map);
}

// The driver counts from the innermost dimension, the window's corners included: {w, h}.
TensorMap tensor_map(const PixelTensor& t) {
  static const auto encode = driver_function<decltype(&cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
  const cuuint64_t extent[] = {static_cast<cuuint64_t>(t.c), static_cast<cuuint64_t>(t.w),
                               static_cast<cuuint64_t>(t.h), static_cast<cuuint64_t>(t.n)};
  const cuuint64_t pixel = extent[0] * static_cast<cuuint64_t>(t.element_bytes);
  const cuuint64_t stride[] = {pixel, pixel * extent[1], pixel * extent[1] * extent[2]};
  const int lower[] = {t.lower[1], t.lower[0]}, upper[] = {t.upper[1], t.upper[0]};
  const cuuint32_t step[] = {1, static_cast<cuuint32_t>(t.stride[1]), static_cast<cuuint32_t>(t.stride[0]),
                             1};
  CUtensorMap map;
  check_encoded(encode(&map, type_of(t.element_bytes), 4, const_cast<void*>(t.data), extent, stride, lower,
                       upper, static_cast<cuuint32_t>(t.channels), static_cast<cuuint32_t>(t.pixels), step,
                       CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                       CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
                "cuTensorMapEncodeIm2col");
  return opaque(map);
}

}  // namespace eb::kernels::cuda
