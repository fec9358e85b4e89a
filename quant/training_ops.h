// Operations of one training image by the arithmetic they take: int8 products are not floating-point
// operations, and a saving is claimed for each apart.
#pragma once
#include "engine/bfp/precision.h"
#include "engine/graph/graph.h"

namespace eb::quant {

struct TrainingOps {
  int64_t int8 = 0;  // 2 for a multiply-add of two codes in an int32
  int64_t fp = 0;  // FLOPs of everything else, a backward pass counted like two forwards (docs/method.md 6.2)
};
TrainingOps training_ops(const engine::Graph& graph, const engine::Precision& precision,
                         engine::Device device);

}  // namespace eb::quant
