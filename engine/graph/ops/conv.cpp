#include <fmt/format.h>

#include "engine/base/error_codes.h"
#include "engine/graph/graph_rules.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static constexpr Key keys[] = {
    {"out_channels", &Node::out_channels, "Filters: channels of its output.", Key::required},
    {"kernel", &Node::kernel, "Height and width of a filter.", Key::required},
    {"stride", &Node::stride, "Step of the filter over the picture."},
    {"pad", &Node::pad, "Zeros on each side of the picture, fewer than the kernel."},
    {"groups", &Node::groups, "Parts the channels are split into; divides C and out_channels."},
    {"bias", &Node::bias, "Adds a trained number to each channel; before a bn it does nothing."}};

static void infer(Node& node, const Inputs& in) {
  const Node& x = *in[0];
  check_range(node, "out_channels", node.out_channels, 1, max_axis);
  check_range(node, "groups", node.groups, 1, max_axis);
  if (x.c % node.groups || node.out_channels % node.groups)
    fail(errors::shapes_differ, node,
         fmt::format("groups {} must divide its input's channels ({}) and out_channels ({})", node.groups,
                     x.c, node.out_channels));
  slide_window(node, x);
  node.c = node.out_channels;
}

// A depthwise convolution keeps its channels, other groups tie them.
static ChannelRule channels(const Node& n, const Node& x) {
  if (n.groups == 1) return ChannelRule::fresh;
  if (n.groups != n.out_channels || n.groups != x.c) return ChannelRule::tied;
  return n.bias ? ChannelRule::shifted : ChannelRule::keeps;
}

static std::vector<ParameterSpec> parameters(const Node& n, const Node& x) {
  const auto last = n.groups == 1 ? Parameter::Axis::input : Parameter::Axis::fixed;
  std::vector<ParameterSpec> list = {{Parameter::Kind::conv_weight,
                                      ".weight",
                                      {n.c, n.kernel[0], n.kernel[1], x.c / n.groups},
                                      Parameter::Axis::output,
                                      last}};
  if (n.bias) list.push_back({Parameter::Kind::bias, ".bias", {n.c}});
  return list;
}

static Work work(const Node& n, const Node& x) {
  const int64_t outputs = n.h * n.w * n.c, macs = n.kernel[0] * n.kernel[1] * (x.c / n.groups) * outputs;
  return {2 * macs + (n.bias ? outputs : 0), macs};
}

extern const OpSpec conv = {
    .name = "conv",
    .doc = "Convolution; with groups = C = out_channels a depthwise one.",
    .output = "(out_channels, h, w); h = floor((H + 2 pad - kernel) / stride) + 1, w alike",
    .keys = keys,
    .infer = infer,
    .channels = channels,
    .parameters = parameters,
    .work = work};

}  // namespace eb::engine::ops
