// The device's work of one training step, recorded the second time it is asked for and replayed from then on.
// A step is named by its input's address and the size of its batch: full batches and the short last one have
// a recording each.
#pragma once
#include <functional>
#include <map>
#include <memory>

#include "engine/tensor/device_cache.h"
#include "engine/tensor/tensor.h"

namespace eb::engine {

class StepCapture {
 public:
  explicit StepCapture(Device device);

  // Does `body`, or what it did before for an `input` at the same place of a batch of that size. The first
  // call warms up: allocations, lazily loaded kernels. body must queue the same work for the same input, wait
  // for nothing and keep no tensor it makes.
  void run(const Tensor& input, int64_t batch_size, const std::function<void()>& body);
  void reset();  // the step is another one from now on
  bool enabled;  // from the start unless EB_CUDA_SYNC=1 asks for each kernel by name
  int64_t replays() const { return replays_; }

 private:
  using Recording = std::shared_ptr<void>;  // null after the warm-up
  Recording record(const std::function<void()>& body);
  Recording record_once(const std::function<void()>& body);

  Device device_;
  std::shared_ptr<BlockPool> pool_;
  std::map<std::pair<void*, int64_t>, Recording> recordings_;  // by address and batch size
  int64_t replays_ = 0;
};

}  // namespace eb::engine
