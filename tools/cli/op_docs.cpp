#include "tools/cli/op_docs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/graph/graph_json_keys.h"
#include "engine/graph/graph_schema.h"

namespace eb::tools {

using engine::ChannelRule;
using engine::Key;
using engine::Node;
using engine::Op;

namespace {

const char* words(Key::Type type) {
  switch (type) {
    case Key::Type::integer:
      return "integer";
    case Key::Type::boolean:
      return "true or false";
    case Key::Type::number:
      return "number";
    case Key::Type::pair:
      return "integer or [height, width]";
    case Key::Type::integers:
      return "list of integers";
  }
  return "";
}

const char* words(ChannelRule rule) {
  switch (rule) {
    case ChannelRule::tied:
      return "none may go";
    case ChannelRule::fresh:
      return "new ones";
    case ChannelRule::keeps:
    case ChannelRule::shifted:
      return "those it reads";
    case ChannelRule::scores:
      return "those it reads, and it says which go";
    case ChannelRule::selects:
      return "some of those it reads";
  }
  return "";
}

std::string default_text(Op op, const Key& key) {
  if (key.must_be_given) return "must be given";
  if (key.otherwise) return key.otherwise;
  return "`" + default_of(op, key).dump() + "`";
}

std::string reads(int inputs) {
  return inputs == 1 ? "1 node" : fmt::format("{} nodes", inputs);
}

}  // namespace

std::string op_reference(std::span<const Op> ops) {
  std::string out =
      "## All ops\n\n`(C, H, W)` is what the node reads: channels, height, width.\n\n"
      "| op | reads | output | its channels | what it does |\n|---|---|---|---|---|\n";
  for (const Op op : ops.subspan(1)) {
    const Node node = engine::new_node(op);
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", op->name, reads(op->inputs), op->output.text,
                       words(op->channels(node, node)), op->doc.text);
  }
  out +=
      "\n## All keys\n\nBeside `id`, `op` and `in`, which every node has.\n\n"
      "| op | key | type | left out | meaning |\n|---|---|---|---|---|\n";
  for (const Op op : ops.subspan(1))
    for (const Key& key : op->keys)
      out += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", op->name, key.name, words(type_of(key)),
                         default_text(op, key), key.doc.text);
  return out;
}

}  // namespace eb::tools
