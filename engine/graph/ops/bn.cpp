#include <cmath>

#include "engine/base/error_codes.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static constexpr Key keys[] = {
    {"eps", &Node::eps, "Added to the variance; above 0."},
    {"momentum", &Node::momentum, "Share of the newest batch in the running mean and variance, 0 to 1."}};

static void infer(Node& node, const Inputs& in) {
  keep_shape(node, in);
  if (!(node.eps > 0) || !std::isfinite(node.eps))
    fail(errors::node_out_of_range, node, "eps must be greater than 0");
  if (!(node.momentum >= 0 && node.momentum <= 1))
    fail(errors::node_out_of_range, node, "momentum must be within 0..1");
}

static std::vector<ParameterSpec> parameters(const Node& n, const Node&) {
  return {{Parameter::Kind::bn_gamma, ".weight", {n.c}}, {Parameter::Kind::bn_beta, ".bias", {n.c}}};
}

static std::vector<BufferSpec> buffers(const Node& n) {
  return {{BufferKind::running_mean, ".running_mean", n.c}, {BufferKind::running_var, ".running_var", n.c}};
}

extern const OpSpec bn = {
    .name = "bn",
    .doc = "Batch normalisation of every channel; its scales are what a ticket is drawn from.",
    .output = "(C, H, W)",
    .keys = keys,
    .infer = infer,
    .channels = always<ChannelRule::scores>,
    .parameters = parameters,
    .buffers = buffers,
    .work = [](const Node& n, const Node&) { return Work{.flops = 2 * n.h * n.w * n.c}; }};

}  // namespace eb::engine::ops
