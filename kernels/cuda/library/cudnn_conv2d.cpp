#include "kernels/cuda/library/cudnn_conv2d.h"

#include <cudnn.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/elementwise.h"

namespace eb::kernels::cuda {

namespace {

using Direction = Conv2d::Direction;

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw std::runtime_error("[" + std::string(what) + "] cuDNN: " + cudnnGetErrorString(status));
}

// Move-only owner of a cuDNN handle or descriptor.
template <class T, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T)>
class Owned {
 public:
  Owned() { check(create(&value_), "create"); }
  ~Owned() { destroy(value_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator T() const { return value_; }

 private:
  T value_{};
};
using Handle = Owned<cudnnHandle_t, cudnnCreate, cudnnDestroy>;
using TensorDescriptor =
    Owned<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using FilterDescriptor =
    Owned<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Owned<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor>;

cudnnHandle_t handle() {
  thread_local Handle h;
  check(cudnnSetStream(h, stream()), "cudnnSetStream");
  return h;
}

// How the algorithm of a shape is found: by cuDNN's rules, or by timing all of them.
enum class Search : uint8_t { rules, measured };

// Descriptors and the algorithm of one shape and direction.
struct Plan {
  TensorDescriptor x, y, bias;
  FilterDescriptor w;
  ConvolutionDescriptor conv;
  int algorithm = 0;
  size_t workspace = 0;

  Plan(const Conv2d::Params& p, Direction d, Search search) {
    const auto i = [](int64_t v) { return static_cast<int>(v); };
    const auto type = p.dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    check(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, type, i(p.n), i(p.c), i(p.h), i(p.w)), "x");
    check(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, type, i(p.n), i(p.k), i(p.out_h()), i(p.out_w())),
          "y");
    check(cudnnSetTensor4dDescriptor(bias, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, i(p.k), 1, 1), "bias");
    check(cudnnSetFilter4dDescriptor(w, type, CUDNN_TENSOR_NHWC, i(p.k), i(p.c / p.groups), i(p.r), i(p.s)),
          "w");
    check(cudnnSetConvolution2dDescriptor(conv, i(p.pad_h), i(p.pad_w), i(p.stride_h), i(p.stride_w), 1, 1,
                                          CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "convolution");
    check(cudnnSetConvolutionGroupCount(conv, i(p.groups)), "groups");
    const bool exact = p.dtype == DType::f32 && !p.tf32;
    check(cudnnSetConvolutionMathType(conv, exact ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH), "math type");
    choose(d, search == Search::measured);
  }

 private:
  template <class Results>
  void keep_fastest(const Results& results, int n) {
    for (int i = 0; i < n; ++i)
      if (results[i].status == CUDNN_STATUS_SUCCESS && results[i].determinism == CUDNN_DETERMINISTIC) {
        algorithm = results[i].algo;
        workspace = results[i].memory;
        return;
      }
    throw std::runtime_error("[conv2d] cuDNN has no deterministic algorithm for this shape");
  }

  // Results come sorted, the fastest first.
  void choose(Direction d, bool measured) {
    int n = 0;
    if (d == Direction::forward) {
      std::vector<cudnnConvolutionFwdAlgoPerf_t> r(CUDNN_CONVOLUTION_FWD_ALGO_COUNT);
      const auto find =
          measured ? cudnnFindConvolutionForwardAlgorithm : cudnnGetConvolutionForwardAlgorithm_v7;
      check(find(handle(), x, w, conv, y, static_cast<int>(r.size()), &n, r.data()), "find forward");
      keep_fastest(r, n);
    } else if (d == Direction::backward_data) {
      std::vector<cudnnConvolutionBwdDataAlgoPerf_t> r(CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT);
      const auto find =
          measured ? cudnnFindConvolutionBackwardDataAlgorithm : cudnnGetConvolutionBackwardDataAlgorithm_v7;
      check(find(handle(), w, y, conv, x, static_cast<int>(r.size()), &n, r.data()), "find backward data");
      keep_fastest(r, n);
    } else {
      std::vector<cudnnConvolutionBwdFilterAlgoPerf_t> r(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT);
      const auto find = measured ? cudnnFindConvolutionBackwardFilterAlgorithm
                                 : cudnnGetConvolutionBackwardFilterAlgorithm_v7;
      check(find(handle(), x, y, conv, w, static_cast<int>(r.size()), &n, r.data()), "find backward weight");
      keep_fastest(r, n);
    }
  }
};

template <Search search>
const Plan& plan(const Conv2d::Params& p, Direction d) {
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, int64_t, int64_t, int, int, int>;
  thread_local std::map<Key, std::unique_ptr<Plan>> plans;
  auto& kept = plans[{p.n, p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h, p.stride_w, p.pad_h, p.pad_w, p.groups,
                      static_cast<int>(p.dtype), p.tf32, static_cast<int>(d)}];
  if (!kept) kept = std::make_unique<Plan>(p, d, search);
  return *kept;
}

constexpr float one = 1.f, zero = 0.f;

size_t aligned(size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

size_t gradient_bytes(const Conv2d::Params& p) {
  return p.dtype == DType::bf16 ? aligned(static_cast<size_t>(p.k * p.r * p.s * (p.c / p.groups)) * 2) : 0;
}

template <Search search>
size_t workspace_bytes(const Conv2d::Params& p, Direction d) {
  const size_t own = plan<search>(p, d).workspace;
  if (d != Direction::backward_weight) return own;
  return std::max(gradient_bytes(p) + own, column_sum_workspace(p.n * p.out_h() * p.out_w(), p.k));
}
size_t packed_bytes(const Conv2d::Params&, Direction) {
  return 0;
}
void pack(const Conv2d::Params&, Direction, const void*, void*, void*) {}

int64_t moment_rows(const Conv2d::Params&) {
  return 0;
}

template <Search search>
void forward(const Conv2d::Params& p, const Conv2d::Forward& call) {
  const Plan& a = plan<search>(p, Direction::forward);
  check(cudnnConvolutionForward(handle(), &one, a.x, call.x, a.w, call.w, a.conv,
                                static_cast<cudnnConvolutionFwdAlgo_t>(a.algorithm), call.workspace,
                                a.workspace, &zero, a.y, call.y),
        "cudnnConvolutionForward");
  if (call.b) check(cudnnAddTensor(handle(), &one, a.bias, call.b, &one, a.y, call.y), "cudnnAddTensor");
}

template <Search search>
void backward_data(const Conv2d::Params& p, const Conv2d::BackwardData& call) {
  const Plan& a = plan<search>(p, Direction::backward_data);
  check(cudnnConvolutionBackwardData(handle(), &one, a.w, call.w, a.y, call.dy, a.conv,
                                     static_cast<cudnnConvolutionBwdDataAlgo_t>(a.algorithm), call.workspace,
                                     a.workspace, &zero, a.x, call.dx),
        "cudnnConvolutionBackwardData");
}

template <Search search>
void backward_weight(const Conv2d::Params& p, const Conv2d::BackwardWeight& call) {
  const Plan& a = plan<search>(p, Direction::backward_weight);
  if (call.db) column_sum(p.dtype, p.n * p.out_h() * p.out_w(), p.k, call.dy, call.db, call.workspace);
  const bool cast = p.dtype == DType::bf16;
  void* gradient = cast ? call.workspace : call.dw;
  check(cudnnConvolutionBackwardFilter(handle(), &one, a.x, call.x, a.y, call.dy, a.conv,
                                       static_cast<cudnnConvolutionBwdFilterAlgo_t>(a.algorithm),
                                       static_cast<char*>(call.workspace) + gradient_bytes(p), a.workspace,
                                       &zero, a.w, gradient),
        "cudnnConvolutionBackwardFilter");
  if (cast) elementwise.cast(p.k * p.r * p.s * (p.c / p.groups), DType::bf16, gradient, DType::f32, call.dw);
}

template <Search search>
constexpr Conv2d table{.workspace_bytes = workspace_bytes<search>,
                       .packed_bytes = packed_bytes,
                       .pack = pack,
                       .moment_rows = moment_rows,
                       .forward = forward<search>,
                       .backward_data = backward_data<search>,
                       .backward_weight = backward_weight<search>};

}  // namespace

const Conv2d cudnn_conv2d = table<Search::rules>;
const Conv2d cudnn_conv2d_measured = table<Search::measured>;

}  // namespace eb::kernels::cuda
