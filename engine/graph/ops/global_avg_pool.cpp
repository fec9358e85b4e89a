#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static void infer(Node& node, const Inputs& in) {
  node.h = node.w = 1, node.c = in[0]->c;
}

// No work: it is the reference's adaptive pool, which the reference does not count.
extern const OpSpec global_avg_pool = {.name = "global_avg_pool",
                                       .doc = "Mean of each channel over the whole picture.",
                                       .output = "(C, 1, 1)",
                                       .infer = infer,
                                       .channels = always<ChannelRule::keeps>};

}  // namespace eb::engine::ops
