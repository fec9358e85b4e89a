// How much faster a step of the compacted network is than one of the dense network, on this machine as it is
// now: what other work takes from both cannot show as a speed-up.
#pragma once
#include "engine/run/record.h"
#include "engine/train/trainer.h"

namespace eb::pruning {

// Training steps of the two, alternately, back to back, on a batch of noise: a warm-up each, then pairs until
// `seconds` are over, at least three. Both trainers have moved afterwards: give it copies.
engine::PairedSteps time_pairs(engine::Trainer& dense, engine::Trainer& small, int64_t batch_size,
                               double seconds);

}  // namespace eb::pruning
