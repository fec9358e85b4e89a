#include "engine/graph/accounting.h"

#include <algorithm>
#include <cmath>

#include "engine/graph/op_spec.h"

namespace eb::engine {

namespace {

int64_t elements(const Node& n) {
  return n.h * n.w * n.c;
}

// Fused with its producer: one output between them, counted at the producer.
bool shares_producer_memory(const Graph& graph, const Node& n) {
  if (n.op->keeps != Keeps::nothing_behind_bn) return n.op->keeps == Keeps::nothing;
  return std::ranges::any_of(n.in, [&](int i) { return graph.nodes[i].op == Op::bn; });
}

}  // namespace

std::vector<LayerCost> layer_costs(const Graph& graph, DType compute) {
  std::vector<LayerCost> costs;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    LayerCost cost{.node = static_cast<int>(i)};
    cost.activation_bytes = elements(n) * static_cast<int64_t>(kernels::size_of(compute));
    for (const ParameterSpec& p : parameters_of(graph, n)) cost.params += element_count(p.shape);
    if (n.op->work) {
      const Work work = n.op->work(n, first_input(graph, n));
      cost.flops = work.flops, cost.macs = work.macs;
    }
    costs.push_back(cost);
  }
  return costs;
}

GraphCost graph_cost(const Graph& graph, DType compute) {
  GraphCost sum;
  for (const LayerCost& cost : layer_costs(graph, compute)) {
    sum.params += cost.params;
    sum.flops += cost.flops;
    sum.macs += cost.macs;
    sum.activation_bytes += cost.activation_bytes;
  }
  return sum;
}

double training_flops(int64_t images, const std::vector<TrainingPhase>& phases, FlopsRounding rounding) {
  double sum = 0;
  for (const TrainingPhase& phase : phases) {
    double flops = static_cast<double>(phase.flops);
    if (rounding == FlopsRounding::paper) flops = std::round(flops / 1e7) * 1e7;
    sum += phase.epochs * flops;
  }
  return 3.0 * static_cast<double>(images) * sum;
}

TrainingMemory training_memory(const Graph& graph, int64_t batch, DType compute) {
  const GraphCost cost = graph_cost(graph, compute);
  TrainingMemory memory;
  memory.parameters = memory.gradients = memory.momentum = cost.params * 4;
  if (compute == DType::bf16) memory.working_copy = cost.params * 2;
  int64_t largest = 0;
  for (const LayerCost& layer : layer_costs(graph, compute)) {
    const Node& n = graph.nodes[layer.node];
    largest = std::max(largest, layer.activation_bytes);
    if (!shares_producer_memory(graph, n)) memory.saved_activations += batch * layer.activation_bytes;
    memory.saved_activations += batch * elements(n) * n.op->kept_bytes;
  }
  memory.activation_gradients = 2 * batch * largest;  // one read, one written
  return memory;
}

}  // namespace eb::engine
