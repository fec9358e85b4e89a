// What a graph costs, by the reference's counting rule (docs/method.md 6.1): a multiply-add is 2 FLOPs;
// convolutions, linear layers, batch norms, activations and pooling windows count; global pools, selects,
// adds and softmax do not.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/graph/graph.h"

namespace eb::engine {

struct LayerCost {
  int node = 0;
  int64_t params = 0;
  int64_t flops = 0;             // forward, one image
  int64_t macs = 0;              // multiply-adds of convolutions and linear layers alone
  int64_t activation_bytes = 0;  // its output, one image
};

// One entry per node, in node order. The graph's shapes must be inferred.
std::vector<LayerCost> layer_costs(const Graph& graph, DType compute = DType::f32);

struct GraphCost {
  int64_t params = 0, flops = 0, macs = 0, activation_bytes = 0;
};
GraphCost graph_cost(const Graph& graph, DType compute = DType::f32);

struct TrainingPhase {
  double epochs;
  int64_t flops;  // forward, one image
};
// `paper` rounds each phase's FLOPs to 0.01 GFLOPs first, as the published totals do.
enum class FlopsRounding : uint8_t { none, paper };

// 3 * images * sum(epochs * flops): a backward pass costs two forwards (docs/method.md 6.2).
double training_flops(int64_t images, const std::vector<TrainingPhase>& phases,
                      FlopsRounding rounding = FlopsRounding::none);

// Bytes that one training step holds at its peak: an estimate that leaves out kernel workspaces and the
// loader.
struct TrainingMemory {
  int64_t parameters = 0, gradients = 0, momentum = 0;  // fp32 arenas
  int64_t working_copy = 0;                             // bf16 compute only
  int64_t saved_activations = 0;                        // kept from forward to backward
  int64_t activation_gradients = 0;                     // the largest in flight
  int64_t total() const {
    return parameters + gradients + momentum + working_copy + saved_activations + activation_gradients;
  }
};
TrainingMemory training_memory(const Graph& graph, int64_t batch, DType compute);

}  // namespace eb::engine
