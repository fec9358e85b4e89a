#include <algorithm>
#include <array>

#include "engine/graph/op_spec.h"

namespace eb::engine {

namespace ops {
extern const OpSpec input, conv, bn, relu, add, select, max_pool, avg_pool, global_avg_pool, linear;
}

static constexpr OpRow<const OpSpec*> specs[] = {{Op::input, &ops::input},
                                                 {Op::conv, &ops::conv},
                                                 {Op::bn, &ops::bn},
                                                 {Op::relu, &ops::relu},
                                                 {Op::add, &ops::add},
                                                 {Op::select, &ops::select},
                                                 {Op::max_pool, &ops::max_pool},
                                                 {Op::avg_pool, &ops::avg_pool},
                                                 {Op::global_avg_pool, &ops::global_avg_pool},
                                                 {Op::linear, &ops::linear}};
static_assert(covers_every_op(specs));

Op::Op(Known known) : spec_(specs[known].value) {}

std::span<const Op> all_ops() {
  static const auto all = [] {
    std::array<Op, Op::count> ops;
    std::transform(std::begin(specs), std::end(specs), ops.begin(),
                   [](const auto& row) { return Op(*row.value); });
    return ops;
  }();
  return all;
}

const char* name_of(Op op) {
  return op->name;
}

Node new_node(Op op) {
  Node node;
  node.op = op;
  if (op->defaults) op->defaults(node);
  return node;
}

const Node& first_input(const Graph& graph, const Node& node) {
  return node.in.empty() ? node : graph.nodes[node.in[0]];
}

std::vector<ParameterSpec> parameters_of(const Graph& graph, const Node& node) {
  return node.op->parameters ? node.op->parameters(node, first_input(graph, node))
                             : std::vector<ParameterSpec>{};
}

std::vector<BufferSpec> buffers_of(const Node& node) {
  return node.op->buffers ? node.op->buffers(node) : std::vector<BufferSpec>{};
}

}  // namespace eb::engine
