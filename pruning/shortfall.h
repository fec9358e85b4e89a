// How far a ticket is from the ratio it was drawn for, in words.
#pragma once
#include <string>

#include "engine/run/record.h"

namespace eb::pruning {

// "the ticket prunes 490 of the 528 channels that p = 0.5 asks for: 30 came back by early_bird.min_channels,
// 8 by early_bird.round_to"; "" where it prunes as many as asked, or nothing is known.
std::string shortfall(const engine::DrawRecord& draw);

}  // namespace eb::pruning
