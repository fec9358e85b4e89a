#include "engine/base/error_codes.h"
#include "engine/graph/ops/pool.h"

namespace eb::engine::ops {

static void infer(Node& node, const Inputs& in) {
  infer_pool(node, in);
  // The backward pass keeps the position of the maximum in one byte.
  if (node.kernel[0] * node.kernel[1] > 255)
    fail(errors::node_out_of_range, node, "a max_pool window has at most 255 elements");
}

extern const OpSpec max_pool = {.name = "max_pool",
                                .doc = "Largest value of each window; padding never wins.",
                                .output = "(C, h, w); h = floor((H + 2 pad - kernel) / stride) + 1, w alike",
                                .keys = pool_keys,
                                .infer = infer,
                                .channels = always<ChannelRule::keeps>,
                                .work = pool_work,
                                .kept_bytes = 1};

}  // namespace eb::engine::ops
