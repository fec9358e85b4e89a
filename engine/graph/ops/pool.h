// What max_pool and avg_pool share.
#pragma once
#include "engine/graph/graph_json_keys.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

// The stride defaults to the kernel, so the kernel is read first.
inline constexpr Key pool_keys[] = {{"kernel", Key::Text{read_pool_kernel, write_kernel}, true},
                                    {"stride", &Node::stride},
                                    {"pad", &Node::pad}};

inline void infer_pool(Node& node, const Inputs& in) {
  slide_window(node, *in[0]);
  node.c = in[0]->c;
}

inline Work pool_work(const Node& n, const Node&) {
  return {.flops = n.kernel[0] * n.kernel[1] * n.h * n.w * n.c};
}

}  // namespace eb::engine::ops
