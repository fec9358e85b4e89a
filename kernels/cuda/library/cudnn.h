// The functions of cuDNN that are called here, found in the shared library when they are first needed. Its
// legacy API of descriptors and algorithms; the graph API ("frontend") may know faster kernels.
#pragma once
#include <cudnn.h>

#include "kernels/cuda/library/shared_library.h"

namespace eb::kernels::cuda {

struct Cudnn {
  // LibraryError if none of `names` is a cuDNN of the version that this build was compiled for.
  explicit Cudnn(const std::vector<std::string>& names);

  SharedLibrary library;
  std::string version;  // "9.19.0"

#define EB_CUDNN(name) decltype(&::name) name = library.function<decltype(&::name)>(#name);
  EB_CUDNN(cudnnGetVersion)
  EB_CUDNN(cudnnGetErrorString)
  EB_CUDNN(cudnnCreate)
  EB_CUDNN(cudnnDestroy)
  EB_CUDNN(cudnnSetStream)
  EB_CUDNN(cudnnCreateTensorDescriptor)
  EB_CUDNN(cudnnDestroyTensorDescriptor)
  EB_CUDNN(cudnnSetTensor4dDescriptor)
  EB_CUDNN(cudnnCreateFilterDescriptor)
  EB_CUDNN(cudnnDestroyFilterDescriptor)
  EB_CUDNN(cudnnSetFilter4dDescriptor)
  EB_CUDNN(cudnnCreateConvolutionDescriptor)
  EB_CUDNN(cudnnDestroyConvolutionDescriptor)
  EB_CUDNN(cudnnSetConvolution2dDescriptor)
  EB_CUDNN(cudnnSetConvolutionGroupCount)
  EB_CUDNN(cudnnSetConvolutionMathType)
  EB_CUDNN(cudnnGetConvolutionForwardAlgorithmMaxCount)
  EB_CUDNN(cudnnGetConvolutionForwardAlgorithm_v7)
  EB_CUDNN(cudnnFindConvolutionForwardAlgorithm)
  EB_CUDNN(cudnnGetConvolutionForwardWorkspaceSize)
  EB_CUDNN(cudnnConvolutionForward)
  EB_CUDNN(cudnnGetConvolutionBackwardDataAlgorithmMaxCount)
  EB_CUDNN(cudnnGetConvolutionBackwardDataAlgorithm_v7)
  EB_CUDNN(cudnnFindConvolutionBackwardDataAlgorithm)
  EB_CUDNN(cudnnGetConvolutionBackwardDataWorkspaceSize)
  EB_CUDNN(cudnnConvolutionBackwardData)
  EB_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithmMaxCount)
  EB_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7)
  EB_CUDNN(cudnnFindConvolutionBackwardFilterAlgorithm)
  EB_CUDNN(cudnnGetConvolutionBackwardFilterWorkspaceSize)
  EB_CUDNN(cudnnConvolutionBackwardFilter)
#undef EB_CUDNN

  // LibraryError unless `status` is success; `what` names the call.
  void check(cudnnStatus_t status, const char* what) const;
};

// This machine's, loaded at the first call. LibraryError, each time, where there is none.
const Cudnn& cudnn();

}  // namespace eb::kernels::cuda
