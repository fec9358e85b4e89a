#include "engine/graph/graph_rules.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static void infer(Node& node, const Inputs&) {
  check_range(node, "channels", node.c, 1, max_axis);
  check_range(node, "height", node.h, 1, max_axis);
  check_range(node, "width", node.w, 1, max_axis);
}

// Its JSON is read by hand (graph_json.cpp).
extern const OpSpec input = {
    .name = "input",
    .doc = "The picture, in the graph's own key \"input\": {\"id\", \"shape\": [C, H, W]}.",
    .output = "(C, H, W)",
    .inputs = 0,
    .infer = infer,
    .channels = always<ChannelRule::fresh>};

}  // namespace eb::engine::ops
