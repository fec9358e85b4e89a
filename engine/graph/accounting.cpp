#include "engine/graph/accounting.h"

#include <algorithm>
#include <cmath>

namespace eb::engine {

namespace {

int64_t elements(const Node& n) {
  return n.h * n.w * n.c;
}

void count_conv(const Node& n, const Node& x, LayerCost& cost) {
  const int64_t weight = n.kernel[0] * n.kernel[1] * (x.c / n.groups) * n.c;
  cost.params = weight + (n.bias ? n.c : 0);
  cost.macs = weight * n.h * n.w;
  cost.flops = 2 * cost.macs + (n.bias ? elements(n) : 0);
}

void count_linear(const Node& n, const Node& x, LayerCost& cost) {
  cost.macs = elements(x) * n.c;
  cost.params = cost.macs + (n.bias ? n.c : 0);
  cost.flops = 2 * cost.macs + (n.bias ? n.c : 0);
}

void count_bn(const Node& n, const Node&, LayerCost& cost) {
  cost.params = 2 * n.c;
  cost.flops = 2 * elements(n);
}

void count_relu(const Node& n, const Node&, LayerCost& cost) {
  cost.flops = elements(n);
}

void count_pool(const Node& n, const Node&, LayerCost& cost) {
  cost.flops = n.kernel[0] * n.kernel[1] * elements(n);
}

void count_nothing(const Node&, const Node&, LayerCost&) {}

// Indexed by Op. A global pool is the reference's adaptive pool, which it does not count.
// clang-format off
void (*const count[])(const Node&, const Node&, LayerCost&) = {
    count_nothing,  // input
    count_conv,
    count_bn,
    count_relu,
    count_nothing,  // add
    count_nothing,  // select
    count_pool,     // max_pool
    count_pool,     // avg_pool
    count_nothing,  // global_avg_pool
    count_linear,
};
// clang-format on

// Fused with its producer: one output between them, counted at the producer.
bool shares_producer_memory(const Graph& graph, const Node& n) {
  if (n.op == Op::relu || n.op == Op::select) return true;
  const auto from_bn = [&](int i) { return graph.nodes[i].op == Op::bn; };
  return n.op == Op::add && std::any_of(n.in.begin(), n.in.end(), from_bn);
}

}  // namespace

std::vector<LayerCost> layer_costs(const Graph& graph, DType compute) {
  std::vector<LayerCost> costs;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    LayerCost cost{.node = static_cast<int>(i)};
    cost.activation_bytes = elements(n) * static_cast<int64_t>(kernels::size_of(compute));
    count[static_cast<size_t>(n.op)](n, n.in.empty() ? n : graph.nodes[n.in[0]], cost);
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
    if (n.op == Op::max_pool) memory.saved_activations += batch * elements(n);  // one index byte each
  }
  memory.activation_gradients = 2 * batch * largest;  // one read, one written
  return memory;
}

}  // namespace eb::engine
