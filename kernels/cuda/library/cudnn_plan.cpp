#include "kernels/cuda/library/cudnn_plan.h"

#include <new>

#include "kernels/room.h"

namespace eb::kernels::cuda {

using Direction = Conv2d::Direction;

static constexpr float one = 1.f, zero = 0.f;

static void describe(const Cudnn& api, const Conv2d::Params& p, cudnnTensorDescriptor_t x,
                     cudnnTensorDescriptor_t y, cudnnFilterDescriptor_t w,
                     cudnnConvolutionDescriptor_t conv) {
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  const auto type = p.dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  api.check(api.cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, type, i(p.n), i(p.c), i(p.h), i(p.w)), "x");
  api.check(
      api.cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, type, i(p.n), i(p.k), i(p.out_h()), i(p.out_w())),
      "y");
  api.check(
      api.cudnnSetFilter4dDescriptor(w, type, CUDNN_TENSOR_NHWC, i(p.k), i(p.c / p.groups), i(p.r), i(p.s)),
      "w");
  api.check(api.cudnnSetConvolution2dDescriptor(conv, i(p.pad_h), i(p.pad_w), i(p.stride_h), i(p.stride_w), 1,
                                                1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
            "convolution");
  api.check(api.cudnnSetConvolutionGroupCount(conv, i(p.groups)), "groups");
}

CudnnPlan::CudnnPlan(const Cudnn& api, cudnnHandle_t handle, const Conv2d::Params& p, Direction d, Search how)
    : api_(api),
      direction_(d),
      exact_(p.dtype == DType::f32 && !p.tf32),
      x_(api, api.cudnnCreateTensorDescriptor, api.cudnnDestroyTensorDescriptor),
      y_(api, api.cudnnCreateTensorDescriptor, api.cudnnDestroyTensorDescriptor),
      w_(api, api.cudnnCreateFilterDescriptor, api.cudnnDestroyFilterDescriptor),
      conv_(api, api.cudnnCreateConvolutionDescriptor, api.cudnnDestroyConvolutionDescriptor) {
  describe(api, p, x_.get(), y_.get(), w_.get(), conv_.get());
  api.check(api.cudnnSetConvolutionMathType(conv_.get(), exact_ ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH),
            "math type");
  algorithms_ = search(handle, how);
  settle(handle);
  if (algorithms_.empty()) throw none_left();
  brought_ = wanted_;
}

std::vector<CudnnPlan::Algorithm> CudnnPlan::search(cudnnHandle_t handle, Search how) {
  const bool measured = how == Search::measured;
  if (direction_ == Direction::forward)
    return ask<cudnnConvolutionFwdAlgoPerf_t>(
        handle, api_.cudnnGetConvolutionForwardAlgorithmMaxCount,
        measured ? api_.cudnnFindConvolutionForwardAlgorithm : api_.cudnnGetConvolutionForwardAlgorithm_v7,
        x_.get(), w_.get(), conv_.get(), y_.get());
  if (direction_ == Direction::backward_data)
    return ask<cudnnConvolutionBwdDataAlgoPerf_t>(handle,
                                                  api_.cudnnGetConvolutionBackwardDataAlgorithmMaxCount,
                                                  measured ? api_.cudnnFindConvolutionBackwardDataAlgorithm
                                                           : api_.cudnnGetConvolutionBackwardDataAlgorithm_v7,
                                                  w_.get(), y_.get(), conv_.get(), x_.get());
  return ask<cudnnConvolutionBwdFilterAlgoPerf_t>(
      handle, api_.cudnnGetConvolutionBackwardFilterAlgorithmMaxCount,
      measured ? api_.cudnnFindConvolutionBackwardFilterAlgorithm
               : api_.cudnnGetConvolutionBackwardFilterAlgorithm_v7,
      x_.get(), y_.get(), conv_.get(), w_.get());
}

// Results come sorted, the fastest first; there may be more of them than algorithms, one for each math type.
template <class Perf, class Count, class Find, class... Operands>
std::vector<CudnnPlan::Algorithm> CudnnPlan::ask(cudnnHandle_t handle, Count count, Find find,
                                                 Operands... operands) {
  int most = 0, n = 0;
  api_.check(count(handle, &most), "number of algorithms");
  std::vector<Perf> results(static_cast<size_t>(most));
  api_.check(find(handle, operands..., most, &n, results.data()), "search of algorithms");
  results.resize(static_cast<size_t>(n));
  std::vector<Algorithm> kept;
  for (const Perf& r : results) {
    const Algorithm algorithm{static_cast<int>(r.algo), r.mathType};
    if (r.status != CUDNN_STATUS_SUCCESS)
      refuse(algorithm, api_.cudnnGetErrorString(r.status));
    else if (r.determinism != CUDNN_DETERMINISTIC)
      refuse(algorithm, "not deterministic");
    else if (exact_ ? r.mathType != CUDNN_FMA_MATH : r.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)
      refuse(algorithm, "not as exact as asked for");
    else
      kept.push_back(algorithm);
  }
  return kept;
}

void CudnnPlan::refuse(const Algorithm& algorithm, const std::string& why) {
  refused_ += (refused_.empty() ? "" : "; ") + std::string("algorithm ") + std::to_string(algorithm.name) +
              " of math type " + std::to_string(algorithm.math) + ": " + why;
}

LibraryError CudnnPlan::none_left() const {
  return LibraryError("cuDNN " + api_.version + " has no algorithm for it that is deterministic and runs (" +
                      (refused_.empty() ? "it named none" : refused_) + ")");
}

// Drops algorithms up to the first whose math type and workspace the library accepts together.
void CudnnPlan::settle(cudnnHandle_t handle) {
  while (!algorithms_.empty()) {
    const Algorithm& a = algorithms_.front();
    cudnnStatus_t status = api_.cudnnSetConvolutionMathType(conv_.get(), a.math);
    if (status == CUDNN_STATUS_SUCCESS) status = bytes_of(handle, a, &wanted_);
    if (status == CUDNN_STATUS_SUCCESS) return;
    refuse(a, api_.cudnnGetErrorString(status));
    algorithms_.erase(algorithms_.begin());
  }
}

cudnnStatus_t CudnnPlan::bytes_of(cudnnHandle_t handle, const Algorithm& a, size_t* bytes) const {
  if (direction_ == Direction::forward)
    return api_.cudnnGetConvolutionForwardWorkspaceSize(handle, x_.get(), w_.get(), conv_.get(), y_.get(),
                                                        static_cast<cudnnConvolutionFwdAlgo_t>(a.name),
                                                        bytes);
  if (direction_ == Direction::backward_data)
    return api_.cudnnGetConvolutionBackwardDataWorkspaceSize(
        handle, w_.get(), y_.get(), conv_.get(), x_.get(), static_cast<cudnnConvolutionBwdDataAlgo_t>(a.name),
        bytes);
  return api_.cudnnGetConvolutionBackwardFilterWorkspaceSize(
      handle, x_.get(), y_.get(), conv_.get(), w_.get(), static_cast<cudnnConvolutionBwdFilterAlgo_t>(a.name),
      bytes);
}

cudnnStatus_t CudnnPlan::call_once(cudnnHandle_t handle, const Call& c, void* workspace) const {
  const int algorithm = algorithms_.front().name;
  if (direction_ == Direction::forward)
    return api_.cudnnConvolutionForward(handle, &one, x_.get(), c.first, w_.get(), c.second, conv_.get(),
                                        static_cast<cudnnConvolutionFwdAlgo_t>(algorithm), workspace, wanted_,
                                        &zero, y_.get(), c.result);
  if (direction_ == Direction::backward_data)
    return api_.cudnnConvolutionBackwardData(handle, &one, w_.get(), c.first, y_.get(), c.second, conv_.get(),
                                             static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm), workspace,
                                             wanted_, &zero, x_.get(), c.result);
  return api_.cudnnConvolutionBackwardFilter(handle, &one, x_.get(), c.first, y_.get(), c.second, conv_.get(),
                                             static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm),
                                             workspace, wanted_, &zero, w_.get(), c.result);
}

static void* allocate(const Memory& memory, size_t bytes) {
  void* block = nullptr;
  const bool room = with_room([&] {
    try {
      block = memory.allocate(bytes);
    } catch (const std::bad_alloc&) {
    }
    return block != nullptr;
  });
  if (!room) throw DeviceMemoryError("[cuDNN workspace] no room for " + std::to_string(bytes) + " bytes");
  return block;
}

void CudnnPlan::run(cudnnHandle_t handle, const Call& call, const Memory& memory) {
  for (; !algorithms_.empty(); settle(handle)) {
    if (wanted_ > brought_ && !more_) more_ = {allocate(memory, wanted_), memory.release};
    const cudnnStatus_t status = call_once(handle, call, more_ ? more_.get() : call.workspace);
    if (status == CUDNN_STATUS_SUCCESS) return;
    if (capturing)  // half a call may be in the recording, and one that is spoiled refuses every algorithm
      throw LibraryError("cuDNN " + api_.version +
                         " could not be recorded: " + api_.cudnnGetErrorString(status));
    refuse(algorithms_.front(), api_.cudnnGetErrorString(status));
    algorithms_.erase(algorithms_.begin());
    more_.reset();
  }
  throw none_left();
}

}  // namespace eb::kernels::cuda
