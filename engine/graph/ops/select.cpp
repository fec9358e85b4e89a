#include <fmt/format.h>

#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph_json_keys.h"
#include "engine/graph/graph_rules.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static constexpr Key keys[] = {{"indices", Key::Text{read_indices, write_indices, Key::Type::integers},
                                "Channels that it passes on, ascending from 0.", "all channels"},
                               {"total", Key::Text{read_total, write_total, Key::Type::integer},
                                "Channels of what it reads, as a check.", "C"}};

static void infer(Node& node, const Inputs& in) {
  keep_shape(node, in);
  if (node.select_total == 0) node.select_total = node.c;
  if (node.select_total != node.c)
    fail(errors::shapes_differ, node,
         fmt::format("total is {}, but {} has {} channels", node.select_total, quote(in[0]->id), node.c));
  if (node.select_all) {
    node.select.clear();
    return;
  }
  if (node.select.empty())
    fail(errors::node_out_of_range, node, "indices is empty, want at least one channel");
  int64_t previous = -1;
  for (int64_t i : node.select) {
    if (i <= previous || i >= node.c)
      fail(errors::node_out_of_range, node,
           fmt::format("indices must ascend within 0..{}, got {}", node.c - 1, i));
    previous = i;
  }
  node.c = static_cast<int64_t>(node.select.size());
}

static std::vector<BufferSpec> buffers(const Node& n) {
  return {{BufferKind::select_indexes, ".indexes", n.select_total}};
}

extern const OpSpec select = {
    .name = "select",
    .doc = "Passes on some channels of what it reads; a network that will be pruned has it with all of them.",
    .output = "(number of indices, H, W)",
    .keys = keys,
    .infer = infer,
    .channels = always<ChannelRule::selects>,
    .buffers = buffers,
    .keeps = Keeps::nothing};

}  // namespace eb::engine::ops
