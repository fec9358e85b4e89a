#include "engine/graph/graph_json_keys.h"

#include <fmt/format.h>

#include <cfloat>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

using nlohmann::json;

int64_t read_integer(const json& j, const Where& where, const std::string& key) {
  if (!j.is_number_integer())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be an integer, got {}", where, quote(key), j.type_name()));
  if (j.is_number_unsigned() && j.get<uint64_t>() > uint64_t{1} << 53)
    throw Error(errors::node_out_of_range, fmt::format("{}: {} is out of range", where, quote(key)));
  return j.get<int64_t>();
}

const std::string& read_string(const json& j, const Where& where, const std::string& key) {
  if (!j.is_string())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be a string, got {}", where, quote(key), j.type_name()));
  return j.get_ref<const std::string&>();
}

void check_array(const json& j, const Where& where, const std::string& key) {
  if (!j.is_array())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be a list, got {}", where, quote(key), j.type_name()));
}

namespace {

// An integer for both axes, or [height, width].
void read_pair(const json& j, const Where& where, const std::string& key, int64_t (&out)[2]) {
  if (!j.is_array()) {
    out[0] = out[1] = read_integer(j, where, key);
    return;
  }
  if (j.size() != 2)
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be an integer or [height, width]", where, quote(key)));
  for (int axis : {0, 1}) out[axis] = read_integer(j[axis], where, key);
}

json write_pair(const int64_t (&v)[2]) {
  return v[0] == v[1] ? json(v[0]) : json{v[0], v[1]};
}

bool read_bool(const json& j, const Where& where, const std::string& key) {
  if (!j.is_boolean())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be true or false, got {}", where, quote(key), j.type_name()));
  return j.get<bool>();
}

float read_float(const json& j, const Where& where, const std::string& key) {
  if (!j.is_number())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: {} must be a number, got {}", where, quote(key), j.type_name()));
  const double v = j.get<double>();
  if (std::abs(v) > FLT_MAX)
    throw Error(errors::node_out_of_range, fmt::format("{}: {} is out of range", where, quote(key)));
  return static_cast<float>(v);
}

// The shortest decimal that reads back as the same float: 1e-05, not 9.999999747378752e-06.
json write_float(float v) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, v).ptr;
  double shortest = 0;
  std::from_chars(text, end, shortest);
  return shortest;
}

void read_field(const json& j, const Where& w, const std::string& key, int64_t& out) {
  out = read_integer(j, w, key);
}
void read_field(const json& j, const Where& w, const std::string& key, bool& out) {
  out = read_bool(j, w, key);
}
void read_field(const json& j, const Where& w, const std::string& key, float& out) {
  out = read_float(j, w, key);
}
void read_field(const json& j, const Where& w, const std::string& key, Key::Pair& out) {
  read_pair(j, w, key, out);
}

json write_field(int64_t v) {
  return v;
}
json write_field(bool v) {
  return v;
}
json write_field(float v) {
  return write_float(v);
}
json write_field(const Key::Pair& v) {
  return write_pair(v);
}

template <class T>
constexpr bool is_text = std::is_same_v<T, Key::Text>;

}  // namespace

void read_key(const Key& key, const json& j, const Where& where, Node& node) {
  const auto read = [&]<class Field>(Field field) {
    if constexpr (is_text<Field>)
      field.read(j, where, node);
    else
      read_field(j, where, key.name, node.*field);
  };
  std::visit(read, key.field);
}

json write_key(const Key& key, const Node& node) {
  const auto write = [&]<class Field>(Field field) -> json {
    if constexpr (is_text<Field>)
      return field.write(node);
    else
      return write_field(node.*field);
  };
  return std::visit(write, key.field);
}

Key::Type type_of(const Key& key) {
  const auto type = []<class Field>(Field field) {
    if constexpr (is_text<Field>)
      return field.type;
    else if constexpr (std::is_same_v<Field, int64_t Node::*>)
      return Key::Type::integer;
    else if constexpr (std::is_same_v<Field, bool Node::*>)
      return Key::Type::boolean;
    else if constexpr (std::is_same_v<Field, float Node::*>)
      return Key::Type::number;
    else
      return Key::Type::pair;
  };
  return std::visit(type, key.field);
}

void read_pool_kernel(const json& j, const Where& where, Node& node) {
  read_pair(j, where, "kernel", node.kernel);
  for (int axis : {0, 1}) node.stride[axis] = node.kernel[axis];
}

json write_kernel(const Node& node) {
  return write_pair(node.kernel);
}

void read_indices(const json& j, const Where& where, Node& node) {
  check_array(j, where, "indices");
  if (j.size() > static_cast<size_t>(max_axis))
    throw Error(errors::node_out_of_range,
                fmt::format("{}: \"indices\" has {} entries, at most {}", where, j.size(), max_axis));
  node.select_all = false;
  for (const json& index : j) {
    const int64_t i = read_integer(index, where, "indices");
    if (i < 0 || i >= max_axis)
      throw Error(errors::node_out_of_range, fmt::format("{}: index {} is out of range", where, i));
    node.select.push_back(static_cast<int32_t>(i));
  }
}

json write_indices(const Node& node) {
  return node.select_all ? json(json::value_t::discarded) : json(node.select);
}

void read_total(const json& j, const Where& where, Node& node) {
  node.select_total = read_integer(j, where, "total");
  if (node.select_total < 1)
    throw Error(errors::node_out_of_range,
                fmt::format("{}: total is {}, want 1 or more", where, node.select_total));
}

json write_total(const Node& node) {
  return node.select_total;
}

}  // namespace eb::engine
