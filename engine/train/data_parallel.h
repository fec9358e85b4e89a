// How the batches of a run are cut, and which rank computes what. A batch is cut into `shards`, each one
// forward and backward pass with batch norm statistics of its own; ranks share the shards. The number of
// shards belongs to the experiment, the number of ranks does not: the same shards give the same bits on any
// number of ranks.
#pragma once
#include "engine/train/reduction_plan.h"
#include "engine/world/world.h"

namespace eb::engine {

struct DataParallel {
  World* world = nullptr;  // null: one rank
  int64_t shards = 1;
  int64_t bucket_bytes = int64_t{16} << 20;  // of what is exchanged between ranks at a time

  int ranks() const { return world ? world->size() : 1; }
  int rank() const { return world ? world->rank() : 0; }
  bool leads() const { return rank() == 0; }  // writes the run directory
  bool sharded() const { return shards > 1; }
  // The shards of this rank.
  Range here() const { return shards_of_rank(rank(), ranks(), shards); }
  // Positions of the samples of this rank in a batch of n.
  Range samples_here(int64_t n) const {
    return {positions_of_shard(here().first, shards, n).first,
            positions_of_shard(here().last - 1, shards, n).last};
  }
  // So that ranks have equal slices, the same for any number of them.
  int64_t padded(int64_t floats) const { return padded_length(floats, shards); }
};

}  // namespace eb::engine
