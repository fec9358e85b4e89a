// How cuDNN computes one direction of one shape: its descriptors, and the algorithms that may, best first.
// An algorithm belongs to a math type (the library's results are pairs): the pair that was found is the pair
// that runs. Of f32 without tf32 only FMA results count: the default type is tf32 on a card that has it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cuda/library/cudnn.h"
#include "kernels/memory.h"

namespace eb::kernels::cuda {

// A handle or descriptor and how it goes.
template <class T>
class Owned {
 public:
  Owned(const Cudnn& api, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T)) : destroy_(destroy) {
    api.check(create(&value_), "create");
  }
  ~Owned() { destroy_(value_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T get() const { return value_; }

 private:
  T value_{};
  cudnnStatus_t (*destroy_)(T);
};

// Where the order of algorithms comes from: cuDNN's rules, or its timing of all of them.
enum class Search : uint8_t { rules, measured };

class CudnnPlan {
 public:
  // LibraryError if no deterministic algorithm is left.
  CudnnPlan(const Cudnn& api, cudnnHandle_t handle, const Conv2d::Params& p, Conv2d::Direction d,
            Search search);

  // What every call brings; it does not change.
  size_t workspace() const { return brought_; }

  // In the order of cuDNN's calls: x, w -> y; w, dy -> dx; x, dy -> dw.
  struct Call {
    const void *first, *second;
    void *result, *workspace;
  };
  // By the first algorithm that runs; those before it are not tried again. If it wants more workspace than
  // calls bring, that comes from `memory`, once. LibraryError if none runs, or if the first does not while a
  // sequence is recorded; DeviceMemoryError.
  void run(cudnnHandle_t handle, const Call& call, const Memory& memory);

 private:
  struct Algorithm {
    int name;  // of the direction's own enumeration
    cudnnMathType_t math;
  };
  std::vector<Algorithm> search(cudnnHandle_t handle, Search how);
  template <class Perf, class Count, class Find, class... Operands>
  std::vector<Algorithm> ask(cudnnHandle_t handle, Count count, Find find, Operands... operands);
  void settle(cudnnHandle_t handle);
  cudnnStatus_t bytes_of(cudnnHandle_t handle, const Algorithm& algorithm, size_t* bytes) const;
  cudnnStatus_t call_once(cudnnHandle_t handle, const Call& call, void* workspace) const;
  void refuse(const Algorithm& algorithm, const std::string& why);
  LibraryError none_left() const;

  const Cudnn& api_;
  Conv2d::Direction direction_;
  bool exact_;
  Owned<cudnnTensorDescriptor_t> x_, y_;
  Owned<cudnnFilterDescriptor_t> w_;
  Owned<cudnnConvolutionDescriptor_t> conv_;
  std::vector<Algorithm> algorithms_;  // best first
  size_t brought_ = 0, wanted_ = 0;    // bytes: of every call, of the algorithm that is used
  std::unique_ptr<void, void (*)(void*)> more_{nullptr, nullptr};
  std::string refused_;  // which algorithms, and why
};

}  // namespace eb::kernels::cuda
