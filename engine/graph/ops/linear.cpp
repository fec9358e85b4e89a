#include "engine/graph/graph_rules.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static constexpr Key keys[] = {{"out_channels", &Node::out_channels,
                                "Values of its output; the classes, if it is the last.", Key::required},
                               {"bias", &Node::bias, "Adds a trained number to each output."}};

static void infer(Node& node, const Inputs&) {
  check_range(node, "out_channels", node.out_channels, 1, max_axis);
  node.h = node.w = 1, node.c = node.out_channels;
}

static std::vector<ParameterSpec> parameters(const Node& n, const Node& x) {
  std::vector<ParameterSpec> list = {{Parameter::Kind::linear_weight,
                                      ".weight",
                                      {n.c, x.h, x.w, x.c},
                                      Parameter::Axis::output,
                                      Parameter::Axis::input}};
  if (n.bias) list.push_back({Parameter::Kind::bias, ".bias", {n.c}});
  return list;
}

static Work work(const Node& n, const Node& x) {
  const int64_t macs = x.h * x.w * x.c * n.c;
  return {2 * macs + (n.bias ? n.c : 0), macs};
}

extern const OpSpec linear = {
    .name = "linear",
    .doc = "Fully connected layer over all values of what it reads, in the order (C, H, W); the classifier.",
    .output = "(out_channels, 1, 1)",
    .keys = keys,
    .defaults = [](Node& n) { n.bias = true; },
    .infer = infer,
    .channels = always<ChannelRule::fresh>,
    .parameters = parameters,
    .work = work};

}  // namespace eb::engine::ops
