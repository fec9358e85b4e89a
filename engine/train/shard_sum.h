// What every shard of a batch has one of (gradients, batch norm statistics, losses), added up in the order of
// reduction_tree(shards) (engine/train/reduction_plan.h): first over this rank's shards, then over ranks. The
// same bits for any number of ranks.
#pragma once
#include <vector>

#include "engine/tensor/tensor.h"
#include "engine/train/data_parallel.h"

namespace eb::engine {

class ShardSum {
 public:
  ShardSum() = default;
  // `part` (n) f32, n a multiple of 16 * shards: where each shard's part is written, and where the sum
  // stands. At most bucket_bytes more are taken for what other ranks send, and log2(shards per rank) times
  // `part`.
  ShardSum(Tensor part, const DataParallel& parallel);

  // Queued: takes in what `part` holds, the next shard of this rank. After the last one `part` is the sum of
  // this rank's.
  void add();
  // Queued: `part` becomes the sum of all ranks'. The next add() begins anew.
  void finish();

 private:
  void over_ranks(const Range& bucket);

  Tensor part_, received_;
  DataParallel parallel_;
  std::vector<Merges> merges_;  // by shard of this rank
  std::vector<Tensor> levels_;  // as Merges names them
  std::vector<Range> buckets_;
  size_t added_ = 0;
};

}  // namespace eb::engine
