// VGG with batch norm (docs/method.md 7): depth 11, 13, 16 or 19; 3x3 convs without bias, four max-pools.
#pragma once
#include "engine/graph/arch/arch.h"

namespace eb::engine {

Graph vgg(const ArchOptions& options);  // ids feature.N and classifier; Error 2112 for another depth

}  // namespace eb::engine
