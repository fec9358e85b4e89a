// Pre-activation bottleneck ResNet for CIFAR (docs/method.md 7): depth 9n + 2, streams of 16, 64, 128, 256.
#pragma once
#include "engine/graph/arch/arch.h"

namespace eb::engine {

// Each block's bn1 and the last bn feed a select, which keeps every channel until a ticket is compacted.
// Error 2112 for a depth that is not 9n + 2.
Graph preresnet(const ArchOptions& options);

}  // namespace eb::engine
