// The built-in networks by name. Node ids are the reference's state_dict prefixes and node order is its
// module registration order (docs/method.md 7), so weights and the global BN vector line up with it.
#pragma once
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace eb::engine {

struct ArchOptions {
  int depth = 16;
  double width = 1.0;              // multiplies every hidden channel count, rounded, at least 1
  int64_t input[3] = {3, 32, 32};  // C, H, W
  int64_t num_classes = 10;
  bool downsample_bias = false;  // resnet: the reference's ResNet-50 has one, torchvision has none
};

// Error 2112 for an unknown name or an option the network does not have; other 21xx if the input is too
// small.
Graph build_arch(const std::string& name, const ArchOptions& options);
const std::vector<std::string>& arch_names();

}  // namespace eb::engine
