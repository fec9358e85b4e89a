// Batch norm statistics of sharded batches without training: every shard's mean and unbiased variance,
// weighted by its samples and added up over shards and ranks as a training step does.
#pragma once
#include <vector>

#include "engine/model/model.h"
#include "engine/train/batch.h"
#include "engine/train/shard_sum.h"

namespace eb::engine {

class ShardedStatistics {
 public:
  // The model's gradients become zero.
  ShardedStatistics(Model& model, const DataParallel& parallel);
  // running += share * (of the batch - running), where a batch norm computes it. `batch` holds this rank's
  // samples; every rank calls it.
  void add(const Batch& batch, float share);

 private:
  Model& model_;
  DataParallel parallel_;
  ShardSum sum_;
  std::vector<float> computed_;  // by statistic: 1, or 0 where no batch norm computes it
  Tensor factors_;
};

}  // namespace eb::engine
