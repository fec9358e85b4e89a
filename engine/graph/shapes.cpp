#include "engine/graph/shapes.h"

#include <fmt/format.h>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

void fail(int code, const Node& node, const std::string& what, const std::string& hint) {
  throw Error(code, fmt::format("node {}: {}", quote(node.id), what), hint);
}

void check_range(const Node& node, const char* key, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    fail(errors::node_out_of_range, node, fmt::format("{} is {}, want {}..{}", key, value, low, high));
}

std::string shape_text(const Node& n) {
  return fmt::format("({}, {}, {})", n.c, n.h, n.w);
}

void keep_shape(Node& node, const Inputs& in) {
  node.h = in[0]->h, node.w = in[0]->w, node.c = in[0]->c;
}

void slide_window(Node& node, const Node& x) {
  const int64_t size[2] = {x.h, x.w};
  int64_t out[2];
  for (int axis : {0, 1}) {
    check_range(node, "kernel", node.kernel[axis], 1, max_axis);
    check_range(node, "stride", node.stride[axis], 1, max_axis);
    if (node.pad[axis] < 0 || node.pad[axis] >= node.kernel[axis])
      fail(errors::node_out_of_range, node,
           fmt::format("pad is {}, want 0 or more and less than the kernel ({})", node.pad[axis],
                       node.kernel[axis]));
    const int64_t room = size[axis] + 2 * node.pad[axis] - node.kernel[axis];
    if (room < 0)
      fail(errors::kernel_too_large, node,
           fmt::format("a kernel of {} does not fit its input {}", node.kernel[axis], shape_text(x)),
           "use a larger model.input or fewer strides and pools before it");
    out[axis] = room / node.stride[axis] + 1;
  }
  node.h = out[0], node.w = out[1];
}

}  // namespace eb::engine
