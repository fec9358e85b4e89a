#include "engine/graph/graph_schema.h"

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/graph/graph_json_keys.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

ordered_json object_schema(std::vector<std::string> required, ordered_json properties) {
  return {{"type", "object"},
          {"additionalProperties", false},
          {"required", std::move(required)},
          {"properties", std::move(properties)}};
}

ordered_json with_doc(ordered_json schema, const char* doc) {
  schema["description"] = doc;
  return schema;
}

ordered_json type_schema(Key::Type type) {
  const ordered_json integer = {{"type", "integer"}};
  if (type == Key::Type::boolean) return {{"type", "boolean"}};
  if (type == Key::Type::number) return {{"type", "number"}};
  if (type == Key::Type::integers) return {{"type", "array"}, {"items", integer}, {"maxItems", max_axis}};
  if (type == Key::Type::integer) return integer;
  const ordered_json pair = {{"type", "array"}, {"items", integer}, {"minItems", 2}, {"maxItems", 2}};
  return {{"anyOf", {integer, pair}}};
}

ordered_json key_schema(Op op, const Key& key) {
  ordered_json s = with_doc(type_schema(type_of(key)), key.doc.text);
  if (const json value = default_of(op, key); !value.is_discarded()) s["default"] = value;
  return s;
}

ordered_json id_schema(const char* doc) {
  return {{"type", "string"},
          {"pattern", "^[A-Za-z0-9_./-]+$"},
          {"minLength", 1},
          {"maxLength", 200},
          {"description", doc}};
}

ordered_json node_schema(Op op) {
  std::vector<std::string> required = {"id", "op", "in"};
  ordered_json properties = {{"id", id_schema("Name of the node.")},
                             {"op", {{"const", op->name}, {"description", op->doc.text}}},
                             {"in",
                              {{"type", "array"},
                               {"items", {{"type", "string"}}},
                               {"minItems", op->inputs},
                               {"maxItems", op->inputs},
                               {"description", "Ids of the nodes it reads."}}}};
  for (const Key& key : op->keys) {
    properties[key.name] = key_schema(op, key);
    if (key.must_be_given) required.push_back(key.name);
  }
  return object_schema(std::move(required), std::move(properties));
}

// By if and then, so that an editor speaks of the op that is written and not of all of them.
ordered_json any_node(std::span<const Op> ops) {
  ordered_json names = ordered_json::array(), cases = ordered_json::array();
  for (const Op op : ops) {
    names.push_back(op->name);
    cases.push_back({{"if", {{"properties", {{"op", {{"const", op->name}}}}}}}, {"then", node_schema(op)}});
  }
  return {{"type", "object"},
          {"required", {"id", "op", "in"}},
          {"properties", {{"op", {{"enum", names}, {"description", "What the node computes."}}}}},
          {"allOf", cases}};
}

// Whether the node is the same without this key: of the others it has what must be given, and its shape.
bool is_needless(const Graph& graph, const Node& node, const Key& key) {
  if (key.must_be_given) return false;
  Node bare = new_node(node.op);
  bare.in = node.in;
  for (const Key& other : node.op->keys)
    if (other.must_be_given) read_key(other, write_key(other, node), node.id, bare);
  const json value = write_key(key, node);
  if (!key.otherwise || write_key(key, bare) == value) return write_key(key, bare) == value;
  Inputs in;
  for (const int i : node.in) in.push_back(&graph.nodes[i]);
  try {
    node.op->infer(bare, in);
  } catch (const Error&) {  // bare of its padding it may not fit
    return false;
  }
  return write_key(key, bare) == value;
}

}  // namespace

json default_of(Op op, const Key& key) {
  if (key.must_be_given || key.otherwise) return json(json::value_t::discarded);
  return write_key(key, new_node(op));
}

ordered_json graph_schema() {
  return graph_schema(all_ops());
}

ordered_json graph_schema(std::span<const Op> ops) {
  const ordered_json side = {{"type", "integer"}, {"minimum", 1}, {"maximum", max_axis}};
  const ordered_json shape = {{"type", "array"},
                              {"items", side},
                              {"minItems", 3},
                              {"maxItems", 3},
                              {"description", "Channels, height and width of one image."}};
  const ordered_json input =
      object_schema({"id", "shape"}, {{"id", id_schema("Name of the input.")}, {"shape", shape}});
  const ordered_json nodes = {
      {"type", "array"}, {"items", any_node(ops.subspan(1))}, {"maxItems", max_nodes - 1}};
  return object_schema({"input", "output", "nodes"},
                       {{"input", input},
                        {"output", id_schema("Id of the node with the scores of the classes.")},
                        {"nodes", nodes}});
}

ordered_json short_json(const Graph& graph) {
  const json all = to_json(graph);
  ordered_json nodes = ordered_json::array();
  for (size_t i = 0; i < all["nodes"].size(); ++i) {
    const json& from = all["nodes"][i];
    const Node& node = graph.nodes[i + 1];
    ordered_json object = {{"id", from["id"]}, {"op", from["op"]}, {"in", from["in"]}};
    for (const Key& key : node.op->keys)
      if (from.contains(key.name) && !is_needless(graph, node, key)) object[key.name] = from[key.name];
    nodes.push_back(std::move(object));
  }
  const json& x = all["input"];
  return {{"input", {{"id", x["id"]}, {"shape", x["shape"]}}}, {"output", all["output"]}, {"nodes", nodes}};
}

}  // namespace eb::engine
