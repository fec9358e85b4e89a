// What max_pool and avg_pool share.
#pragma once
#include "engine/graph/graph_json_keys.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

// The stride defaults to the kernel, so the kernel is read first.
inline constexpr Key pool_keys[] = {
    {"kernel", Key::Text{read_pool_kernel, write_kernel, Key::Type::pair}, "Height and width of the window.",
     Key::required},
    {"stride", &Node::stride, "Step of the window over the picture.", "the kernel"},
    {"pad", &Node::pad, "Rows and columns added on each side, fewer than the kernel."}};

inline void infer_pool(Node& node, const Inputs& in) {
  slide_window(node, *in[0]);
  node.c = in[0]->c;
}

inline Work pool_work(const Node& n, const Node&) {
  return {.flops = n.kernel[0] * n.kernel[1] * n.h * n.w * n.c};
}

}  // namespace eb::engine::ops
