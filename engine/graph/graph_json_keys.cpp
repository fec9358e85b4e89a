#include "engine/graph/graph_json_keys.h"

#include <fmt/format.h>

#include <cfloat>
#include <charconv>
#include <cmath>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

using nlohmann::json;

int64_t read_integer(const json& j, const Where& where, const std::string& key) {
  if (!j.is_number_integer())
    throw Error(2103, fmt::format("{}: {} must be an integer, got {}", where, quote(key), j.type_name()));
  if (j.is_number_unsigned() && j.get<uint64_t>() > uint64_t{1} << 53)
    throw Error(2107, fmt::format("{}: {} is out of range", where, quote(key)));
  return j.get<int64_t>();
}

const std::string& read_string(const json& j, const Where& where, const std::string& key) {
  if (!j.is_string())
    throw Error(2103, fmt::format("{}: {} must be a string, got {}", where, quote(key), j.type_name()));
  return j.get_ref<const std::string&>();
}

void check_array(const json& j, const Where& where, const std::string& key) {
  if (!j.is_array())
    throw Error(2103, fmt::format("{}: {} must be a list, got {}", where, quote(key), j.type_name()));
}

namespace {

// An integer for both axes, or [height, width].
void read_pair(const json& j, const Where& where, const std::string& key, int64_t (&out)[2]) {
  if (!j.is_array()) {
    out[0] = out[1] = read_integer(j, where, key);
    return;
  }
  if (j.size() != 2)
    throw Error(2103, fmt::format("{}: {} must be an integer or [height, width]", where, quote(key)));
  for (int axis : {0, 1}) out[axis] = read_integer(j[axis], where, key);
}

json write_pair(const int64_t (&v)[2]) {
  return v[0] == v[1] ? json(v[0]) : json{v[0], v[1]};
}

bool read_bool(const json& j, const Where& where, const std::string& key) {
  if (!j.is_boolean())
    throw Error(2103, fmt::format("{}: {} must be true or false, got {}", where, quote(key), j.type_name()));
  return j.get<bool>();
}

float read_float(const json& j, const Where& where, const std::string& key) {
  if (!j.is_number())
    throw Error(2103, fmt::format("{}: {} must be a number, got {}", where, quote(key), j.type_name()));
  const double v = j.get<double>();
  if (std::abs(v) > FLT_MAX) throw Error(2107, fmt::format("{}: {} is out of range", where, quote(key)));
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

void read_indices(const json& j, const Where& where, Node& node) {
  check_array(j, where, "indices");
  if (j.size() > static_cast<size_t>(max_axis))
    throw Error(2107, fmt::format("{}: \"indices\" has {} entries, at most {}", where, j.size(), max_axis));
  node.select_all = false;
  for (const json& index : j) {
    const int64_t i = read_integer(index, where, "indices");
    if (i < 0 || i >= max_axis) throw Error(2107, fmt::format("{}: index {} is out of range", where, i));
    node.select.push_back(static_cast<int32_t>(i));
  }
}

void read_pool_kernel(const json& j, const Where& where, Node& node) {
  read_pair(j, where, "kernel", node.kernel);
  for (int axis : {0, 1}) node.stride[axis] = node.kernel[axis];
}

// clang-format off
const Key out_channels{"out_channels", true,
    [](const json& j, const Where& w, Node& n) { n.out_channels = read_integer(j, w, "out_channels"); },
    [](const Node& n) { return json(n.out_channels); }};
const Key bias{"bias", false, [](const json& j, const Where& w, Node& n) { n.bias = read_bool(j, w, "bias"); },
    [](const Node& n) { return json(n.bias); }};
const Key kernel{"kernel", true, [](const json& j, const Where& w, Node& n) { read_pair(j, w, "kernel", n.kernel); },
    [](const Node& n) { return write_pair(n.kernel); }};
const Key pool_kernel{"kernel", true, read_pool_kernel, [](const Node& n) { return write_pair(n.kernel); }};
const Key stride{"stride", false, [](const json& j, const Where& w, Node& n) { read_pair(j, w, "stride", n.stride); },
    [](const Node& n) { return write_pair(n.stride); }};
const Key pad{"pad", false, [](const json& j, const Where& w, Node& n) { read_pair(j, w, "pad", n.pad); },
    [](const Node& n) { return write_pair(n.pad); }};
const Key groups{"groups", false,
    [](const json& j, const Where& w, Node& n) { n.groups = read_integer(j, w, "groups"); },
    [](const Node& n) { return json(n.groups); }};
const Key eps{"eps", false, [](const json& j, const Where& w, Node& n) { n.eps = read_float(j, w, "eps"); },
    [](const Node& n) { return write_float(n.eps); }};
const Key momentum{"momentum", false,
    [](const json& j, const Where& w, Node& n) { n.momentum = read_float(j, w, "momentum"); },
    [](const Node& n) { return write_float(n.momentum); }};
const Key indices{"indices", false, read_indices,
    [](const Node& n) { return n.select_all ? json(json::value_t::discarded) : json(n.select); }};
const Key total{"total", false,
    [](const json& j, const Where& w, Node& n) {
      n.select_total = read_integer(j, w, "total");
      if (n.select_total < 1) throw Error(2107, fmt::format("{}: total is {}, want 1 or more", w, n.select_total));
    },
    [](const Node& n) { return json(n.select_total); }};
// clang-format on

// Indexed by Op. A pool's stride defaults to its kernel, so kernel is read first.
const std::vector<Key> keys_of_op[] = {
    {},                                                 // input: read by hand
    {out_channels, kernel, stride, pad, groups, bias},  // conv
    {eps, momentum},                                    // bn
    {},                                                 // relu
    {},                                                 // add
    {indices, total},                                   // select
    {pool_kernel, stride, pad},                         // max_pool
    {pool_kernel, stride, pad},                         // avg_pool
    {},                                                 // global_avg_pool
    {out_channels, bias},                               // linear
};

}  // namespace

const std::vector<Key>& keys_of(Op op) {
  return keys_of_op[static_cast<size_t>(op)];
}

}  // namespace eb::engine
