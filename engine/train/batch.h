// What a step eats, and where it comes from. data/ implements BatchSource; the engine only pulls.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace eb::engine {

struct Batch {
  Tensor images;             // (N, H, W, C) normalised, compute dtype
  Tensor labels;             // (N) i32
  std::vector<int64_t> ids;  // data-set index of each sample
  int64_t total = 0;         // samples of the batch that this is a rank's part of; 0: it is the whole
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  int64_t whole() const { return total ? total : size(); }
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Positions before batch `first_batch` of `epoch`; the order depends only on (seed, epoch).
  virtual void start(int64_t epoch, int64_t first_batch) = 0;
  virtual bool next(Batch& batch) = 0;  // false at the end of the epoch
  virtual int64_t batches_per_epoch() const = 0;
  virtual int64_t samples() const = 0;
  // Samples met so far that could not be read and were replaced, described for people, each once.
  virtual std::vector<std::string> bad_samples() const { return {}; }
};

}  // namespace eb::engine
