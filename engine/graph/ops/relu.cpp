#include "engine/graph/shapes.h"

namespace eb::engine::ops {

extern const OpSpec relu = {.name = "relu",
                            .doc = "max(0, x).",
                            .output = "(C, H, W)",
                            .infer = keep_shape,
                            .channels = always<ChannelRule::keeps>,
                            .work = [](const Node& n, const Node&) { return Work{.flops = n.h * n.w * n.c}; },
                            .keeps = Keeps::nothing};

}  // namespace eb::engine::ops
