#include "engine/graph/ops/pool.h"

namespace eb::engine::ops {

extern const OpSpec avg_pool = {.name = "avg_pool",
                                .doc = "Mean of each window; padding counts as zeros.",
                                .output = "(C, h, w); h = floor((H + 2 pad - kernel) / stride) + 1, w alike",
                                .keys = pool_keys,
                                .infer = infer_pool,
                                .channels = always<ChannelRule::keeps>,
                                .work = pool_work};

}  // namespace eb::engine::ops
