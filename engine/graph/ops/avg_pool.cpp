#include "engine/graph/ops/pool.h"

namespace eb::engine::ops {

extern const OpSpec avg_pool = {.name = "avg_pool",
                                .keys = pool_keys,
                                .infer = infer_pool,
                                .channels = always<ChannelRule::keeps>,
                                .work = pool_work};

}  // namespace eb::engine::ops
