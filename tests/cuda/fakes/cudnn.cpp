#include "cuda/fakes/cudnn.h"

#include <cstdlib>

static FakeCudnn fake;
extern "C" FakeCudnn* fake_cudnn() {
  return &fake;
}

struct cudnnContext {};
struct cudnnTensorStruct {};
struct cudnnFilterStruct {};
struct cudnnConvolutionStruct {
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

template <class T>
static cudnnStatus_t create(T** made) {
  *made = new T;
  ++fake.alive;
  return CUDNN_STATUS_SUCCESS;
}
template <class T>
static cudnnStatus_t destroy(T* made) {
  delete made;
  --fake.alive;
  return CUDNN_STATUS_SUCCESS;
}

template <class Perf>
static cudnnStatus_t search(int& searches, cudnnConvolutionDescriptor_t conv, int most, int* n,
                            Perf* results) {
  ++searches;
  fake.asked_math.push_back(conv->math);
  *n = 0;
  for (const auto& r : fake.results) {
    if (*n == most) break;
    Perf& to = results[(*n)++];
    to = {};
    to.algo = static_cast<decltype(to.algo)>(r.algorithm);
    to.status = r.status;
    to.determinism = r.determinism;
    to.mathType = r.math;
    to.memory = 7;  // not to be believed: the question for the bytes decides
  }
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t bytes_of(int algorithm, cudnnConvolutionDescriptor_t conv, size_t* bytes) {
  const FakeCudnn::Pair pair(algorithm, conv->math);
  if (fake.without_workspace.count(pair)) return CUDNN_STATUS_NOT_SUPPORTED;
  *bytes = fake.workspace.count(pair) ? fake.workspace[pair] : 0;
  return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t call(FakeCudnn::Direction d, int algorithm, cudnnConvolutionDescriptor_t conv,
                          const void* first, const void* second, void* result, void* workspace,
                          size_t bytes) {
  const FakeCudnn::Pair pair(algorithm, conv->math);
  fake.calls.push_back({d, pair, first, second, result, workspace, bytes});
  return fake.fails.count(pair) ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
}

extern "C" {
size_t cudnnGetVersion() {
  const char* version = std::getenv("FAKE_CUDNN_VERSION");
  return version ? std::strtoull(version, nullptr, 10) : CUDNN_VERSION;
}
const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "another status";
}
cudnnStatus_t cudnnCreate(cudnnHandle_t* h) {
  return create(h);
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t h) {
  return destroy(h);
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) {
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* t) {
  return create(t);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t t) {
  return destroy(t);
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t, cudnnTensorFormat_t, cudnnDataType_t, int,
                                         int, int, int) {
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* w) {
  return create(w);
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t w) {
  return destroy(w);
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t, cudnnDataType_t, cudnnTensorFormat_t, int,
                                         int, int, int) {
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* c) {
  return create(c);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t c) {
  return destroy(c);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t, int, int, int, int, int, int,
                                              cudnnConvolutionMode_t, cudnnDataType_t) {
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t, int) {
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t c, cudnnMathType_t math) {
  c->math = math;
  return CUDNN_STATUS_SUCCESS;
}

// The three directions differ in their types alone.
#define DIRECTION(NAME, ALGO, CALL, WHICH, FIRST, SECOND, RESULT)                                            \
  cudnnStatus_t cudnnGetConvolution##NAME##AlgorithmMaxCount(cudnnHandle_t, int* n) {                        \
    *n = fake.most_results;                                                                                  \
    return CUDNN_STATUS_SUCCESS;                                                                             \
  }                                                                                                          \
  cudnnStatus_t cudnnGetConvolution##NAME##Algorithm_v7(                                                     \
      cudnnHandle_t, const FIRST, const SECOND, const cudnnConvolutionDescriptor_t c, const RESULT,          \
      const int most, int* n, cudnnConvolution##ALGO##AlgoPerf_t* results) {                                 \
    return search(fake.by_rules, c, most, n, results);                                                       \
  }                                                                                                          \
  cudnnStatus_t cudnnFindConvolution##NAME##Algorithm(                                                       \
      cudnnHandle_t, const FIRST, const SECOND, const cudnnConvolutionDescriptor_t c, const RESULT,          \
      const int most, int* n, cudnnConvolution##ALGO##AlgoPerf_t* results) {                                 \
    return search(fake.measured, c, most, n, results);                                                       \
  }                                                                                                          \
  cudnnStatus_t cudnnGetConvolution##NAME##WorkspaceSize(cudnnHandle_t, const FIRST, const SECOND,           \
                                                         const cudnnConvolutionDescriptor_t c, const RESULT, \
                                                         cudnnConvolution##ALGO##Algo_t a, size_t* bytes) {  \
    return bytes_of(a, c, bytes);                                                                            \
  }                                                                                                          \
  cudnnStatus_t cudnnConvolution##CALL(                                                                      \
      cudnnHandle_t, const void*, const FIRST, const void* first, const SECOND, const void* second,          \
      const cudnnConvolutionDescriptor_t c, cudnnConvolution##ALGO##Algo_t a, void* workspace, size_t bytes, \
      const void*, const RESULT, void* result) {                                                             \
    return call(FakeCudnn::Direction::WHICH, a, c, first, second, result, workspace, bytes);                 \
  }
DIRECTION(Forward, Fwd, Forward, forward, cudnnTensorDescriptor_t, cudnnFilterDescriptor_t,
          cudnnTensorDescriptor_t)
DIRECTION(BackwardData, BwdData, BackwardData, backward_data, cudnnFilterDescriptor_t,
          cudnnTensorDescriptor_t, cudnnTensorDescriptor_t)
DIRECTION(BackwardFilter, BwdFilter, BackwardFilter, backward_weight, cudnnTensorDescriptor_t,
          cudnnTensorDescriptor_t, cudnnFilterDescriptor_t)
}
