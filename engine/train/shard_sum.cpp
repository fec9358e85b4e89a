#include "engine/train/shard_sum.h"

#include <algorithm>

#include "kernels/tree_sum.h"

namespace eb::engine {

ShardSum::ShardSum(Tensor part, const DataParallel& parallel)
    : part_(std::move(part)), parallel_(parallel), merges_(merge_schedule(parallel.here().size())) {
  int kept = 0;
  for (const Merges& m : merges_) kept = std::max(kept, m.keep + 1);
  for (int level = 0; level < kept; ++level)
    levels_.push_back(Tensor::empty(part_.shape(), DType::f32, part_.device()));
  if (parallel.ranks() == 1) return;
  buckets_ = make_buckets(part_.size(), parallel.shards, parallel.bucket_bytes);
  int64_t largest = 0;
  for (const Range& bucket : buckets_) largest = std::max(largest, bucket.size());
  received_ = Tensor::empty({largest}, DType::f32, part_.device());
}

void ShardSum::add() {
  const kernels::TreeSum& k = kernels::tree_sum(part_.device());
  const Merges& m = merges_[added_++];
  for (const int level : m.levels) k.merge(part_.size(), part_.data<float>(), levels_[level].data<float>());
  if (m.keep >= 0) levels_[m.keep].copy_from(part_);
}

void ShardSum::finish() {
  added_ = 0;
  for (const Range& bucket : buckets_) over_ranks(bucket);
}

// Every rank adds one slice of all ranks' parts, and all get all of them.
void ShardSum::over_ranks(const Range& bucket) {
  const int ranks = parallel_.ranks();
  const int64_t slice = bucket.size() / ranks;
  float* part = part_.data<float>() + bucket.first;
  World& world = *parallel_.world;
  world.exchange(part_.device(), part, received_.data<float>(), slice);
  kernels::tree_sum(part_.device())
      .slices(ranks, slice, received_.data<float>(), part + parallel_.rank() * slice);
  world.gather(part_.device(), part, slice);
}

}  // namespace eb::engine
