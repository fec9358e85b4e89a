#include "engine/graph/classifier.h"

#include <fmt/format.h>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::engine {

static bool keeps_classes(Op op) {
  for (const Op::Known known : {Op::relu, Op::max_pool, Op::avg_pool, Op::global_avg_pool})
    if (op == known) return true;
  return false;
}

int classifier_of(const Graph& graph) {
  const auto readers = graph.consumers();
  int at = graph.output;
  while (keeps_classes(graph.nodes[at].op) && readers[graph.nodes[at].in[0]].size() == 1)
    at = graph.nodes[at].in[0];
  const Node& node = graph.nodes[at];
  if ((node.op == Op::linear || node.op == Op::conv) && node.groups == 1) return at;
  throw Error(errors::no_classifier,
              fmt::format("the network has no single classifier: its classes come from {}, a {}",
                          quote(node.id), name_of(node.op)),
              "a network whose last layer is a linear layer or a convolution has one");
}

Graph with_classes(Graph graph, int64_t classes) {
  graph.nodes[classifier_of(graph)].out_channels = classes;
  graph.infer_shapes();
  return graph;
}

static bool pools_whole_map(const Graph& graph, const Node& node) {
  if (!(node.op == Op::avg_pool) || node.pad[0] || node.pad[1]) return false;
  const Node& in = graph.nodes[node.in[0]];
  return node.kernel[0] == in.h && node.kernel[1] == in.w;
}

Graph with_image_size(Graph graph, int64_t height, int64_t width) {
  std::vector<size_t>
      whole;  // pools that go on to be over the whole map: global ones until its size is known
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (pools_whole_map(graph, graph.nodes[i])) whole.push_back(i);
  for (const size_t i : whole) graph.nodes[i].op = Op::global_avg_pool;
  graph.nodes[0].h = height, graph.nodes[0].w = width;
  graph.infer_shapes();
  for (const size_t i : whole) {
    Node& pool = graph.nodes[i];
    const Node& in = graph.nodes[pool.in[0]];
    pool.op = Op::avg_pool;
    pool.kernel[0] = pool.stride[0] = in.h, pool.kernel[1] = pool.stride[1] = in.w;
  }
  graph.infer_shapes();
  return graph;
}

}  // namespace eb::engine
