// ResNet 18, 34, 50, 101, 152 in torchvision's names (docs/method.md 7); bottlenecks stride in conv2.
#pragma once
#include "engine/graph/arch/arch.h"

namespace eb::engine {

// No selects: residual streams are pruned as shared channel groups. Error 2112 for another depth.
Graph resnet(const ArchOptions& options);

}  // namespace eb::engine
