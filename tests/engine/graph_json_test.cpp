// Strict reading, exact writing, and refusal of everything else, by error code and by the name in the
// message.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/graph/arch/arch.h"
#include "engine/graph/graph.h"

namespace eb::engine {

using nlohmann::json;

static json small() {
  return json::parse(R"({
    "input": {"id": "x", "shape": [3, 8, 6]},
    "output": "fc",
    "nodes": [
      {"id": "c1", "op": "conv", "in": ["x"], "out_channels": 4, "kernel": [3, 1], "pad": [1, 0], "stride": 2},
      {"id": "b1", "op": "bn", "in": ["c1"]},
      {"id": "r1", "op": "relu", "in": ["b1"]},
      {"id": "s", "op": "select", "in": ["r1"], "indices": [0, 2, 3]},
      {"id": "p", "op": "max_pool", "in": ["s"], "kernel": 2},
      {"id": "fc", "op": "linear", "in": ["p"], "out_channels": 5}
    ]})");
}

static std::string error_of(const json& j) {
  try {
    graph_from_json(j);
  } catch (const Error& e) {
    return std::to_string(e.code()) + " " + e.message() + (e.hint().empty() ? "" : " | " + e.hint());
  }
  return "no error";
}

// The error after one JSON patch operation on small().
static std::string patched(const char* path, json value) {
  json j = small();
  j[json::json_pointer(path)] = std::move(value);
  return error_of(j);
}

static std::string without(const char* parent, const char* key) {
  json j = small();
  j[json::json_pointer(parent)].erase(key);
  return error_of(j);
}

TEST(GraphJson, reads_values_and_defaults) {
  const Graph g = graph_from_json(small());
  ASSERT_EQ(g.nodes.size(), 7u);
  const Node &c = g.nodes[1], &bn = g.nodes[2], &s = g.nodes[4], &p = g.nodes[5], &fc = g.nodes[6];
  EXPECT_EQ(c.kernel[0], 3);
  EXPECT_EQ(c.kernel[1], 1);
  EXPECT_EQ(c.pad[0], 1);
  EXPECT_EQ(c.pad[1], 0);
  EXPECT_EQ(c.stride[1], 2);
  EXPECT_EQ(c.groups, 1);
  EXPECT_FALSE(c.bias);
  EXPECT_EQ(bn.eps, 1e-5f);
  EXPECT_EQ(bn.momentum, 0.1f);
  EXPECT_FALSE(s.select_all);
  EXPECT_EQ(s.select, (std::vector<int32_t>{0, 2, 3}));
  EXPECT_EQ(s.select_total, 4);
  EXPECT_EQ(p.stride[0], 2);  // a pool's stride is its kernel unless given
  EXPECT_TRUE(fc.bias);
  EXPECT_EQ(fc.c, 5);
  EXPECT_EQ(g.output, 6);
}

TEST(GraphJson, writes_every_key_of_an_op_and_nothing_else) {
  const json expected = json::parse(R"({
    "input": {"id": "x", "shape": [3, 8, 6]},
    "output": "fc",
    "nodes": [
      {"id": "c1", "op": "conv", "in": ["x"], "out_channels": 4, "kernel": [3, 1], "pad": [1, 0], "stride": 2,
       "groups": 1, "bias": false},
      {"id": "b1", "op": "bn", "in": ["c1"], "eps": 1e-05, "momentum": 0.1},
      {"id": "r1", "op": "relu", "in": ["b1"]},
      {"id": "s", "op": "select", "in": ["r1"], "indices": [0, 2, 3], "total": 4},
      {"id": "p", "op": "max_pool", "in": ["s"], "kernel": 2, "stride": 2, "pad": 0},
      {"id": "fc", "op": "linear", "in": ["p"], "out_channels": 5, "bias": true}
    ]})");
  EXPECT_EQ(to_json(graph_from_json(small())).dump(), expected.dump());
}

TEST(GraphJson, every_preset_survives_the_round_trip) {
  for (const auto& [name, depth] :
       {std::pair{"vgg", 16}, {"preresnet", 29}, {"resnet", 18}, {"resnet", 50}}) {
    const Graph g = build_arch(name, {.depth = depth, .input = {3, 64, 64}, .downsample_bias = true});
    const json j = to_json(g);
    const Graph back = graph_from_json(json::parse(j.dump()));
    EXPECT_EQ(to_json(back).dump(), j.dump()) << name;
    ASSERT_EQ(back.nodes.size(), g.nodes.size());
    for (size_t i = 0; i < g.nodes.size(); ++i) {
      EXPECT_EQ(back.nodes[i].id, g.nodes[i].id);
      EXPECT_EQ(back.nodes[i].in, g.nodes[i].in);
      EXPECT_EQ(back.nodes[i].select_all, g.nodes[i].select_all);
      EXPECT_EQ(back.nodes[i].c, g.nodes[i].c);
    }
  }
}

TEST(GraphJson, topological_file_order_is_kept_and_any_other_is_sorted) {
  json j = json::parse(R"({
    "input": {"id": "x", "shape": [3, 4, 4]}, "output": "sum",
    "nodes": [
      {"id": "b", "op": "conv", "in": ["x"], "out_channels": 2, "kernel": 1},
      {"id": "a", "op": "conv", "in": ["x"], "out_channels": 2, "kernel": 1},
      {"id": "bb", "op": "bn", "in": ["b"]},
      {"id": "ba", "op": "bn", "in": ["a"]},
      {"id": "sum", "op": "add", "in": ["ba", "bb"]}
    ]})");
  const auto order = [](const Graph& g) {
    std::string text;
    for (const Node& n : g.nodes) text += n.id + " ";
    return text;
  };
  EXPECT_EQ(order(graph_from_json(j)), "x b a bb ba sum ");
  std::reverse(j["nodes"].begin(), j["nodes"].end());  // sum ba bb a b
  const Graph sorted = graph_from_json(j);
  EXPECT_EQ(order(sorted), "x a ba b bb sum ");
  EXPECT_EQ(order(graph_from_json(to_json(sorted))), "x a ba b bb sum ");
  EXPECT_EQ(sorted.nodes[sorted.output].id, "sum");
}

TEST(GraphJson, nodes_may_follow_the_classifier_s_place_in_the_file) {
  json j = small();
  std::swap(j["nodes"][0], j["nodes"][5]);
  EXPECT_EQ(error_of(j), "no error");
}

TEST(GraphJson, cycles_are_shown) {
  EXPECT_EQ(patched("/nodes/1/in", {"s"}),
            "2106 the graph has a cycle: \"b1\" reads \"s\" reads \"r1\" reads \"b1\"");
  EXPECT_EQ(patched("/nodes/1/in", {"b1"}), "2106 the graph has a cycle: \"b1\" reads \"b1\"");
}

TEST(GraphJson, ids) {
  EXPECT_EQ(patched("/nodes/2/in", {"b2"}),
            "2105 node \"r1\": reads \"b2\", which is not a node | did you mean \"b1\"?");
  EXPECT_EQ(patched("/nodes/2/id", "b1"), "2104 two nodes are called \"b1\"");
  EXPECT_EQ(patched("/nodes/2/id", "x"), "2104 two nodes are called \"x\"");
  EXPECT_EQ(patched("/nodes/2/id", "r 1").substr(0, 22), "2104 bad node id \"r 1\"");
  EXPECT_EQ(patched("/nodes/2/id", "").substr(0, 19), "2104 bad node id \"\"");
  EXPECT_EQ(patched("/nodes/2/id", std::string(201, 'a')).substr(0, 5), "2104 ");
  EXPECT_EQ(patched("/nodes/2/id", "a\x01\"b").substr(0, 30), R"(2104 bad node id "a\u0001\"b" )");
  EXPECT_EQ(patched("/nodes/2/id", 3), "2103 nodes[2]: \"id\" must be a string, got number");
  EXPECT_EQ(patched("/output", "fcc"), "2111 the output \"fcc\" is not a node | did you mean \"fc\"?");
  EXPECT_EQ(patched("/output", json()), "2103 graph: \"output\" must be a string, got null");
  EXPECT_EQ(patched("/output", "p"),
            "2113 node \"fc\": nothing reads it, and it is not the output | "
            "remove it, or name it as the graph's output");
}

TEST(GraphJson, ops_and_keys) {
  EXPECT_EQ(patched("/nodes/0/op", "covn"), "2114 node \"c1\": unknown op \"covn\" | did you mean \"conv\"?");
  EXPECT_EQ(patched("/nodes/0/op", "input").substr(0, 34), "2114 node \"c1\": unknown op \"input\"");
  EXPECT_EQ(patched("/nodes/0/kernal", 3),
            "2102 node \"c1\": unknown key \"kernal\" | did you mean \"kernel\"?");
  EXPECT_EQ(patched("/nodes/1/kernel", 3),
            "2102 node \"b1\": unknown key \"kernel\" | known keys: id, op, in, eps, momentum");
  EXPECT_EQ(patched("/outptu", 3), "2102 graph: unknown key \"outptu\" | did you mean \"output\"?");
  EXPECT_EQ(patched("/input/shap", 3), "2102 graph input: unknown key \"shap\" | did you mean \"shape\"?");
  EXPECT_EQ(without("/nodes/0", "kernel"), "2101 node \"c1\": missing key \"kernel\"");
  EXPECT_EQ(without("/nodes/0", "out_channels"), "2101 node \"c1\": missing key \"out_channels\"");
  EXPECT_EQ(without("/nodes/0", "op"), "2101 node \"c1\": missing key \"op\"");
  EXPECT_EQ(without("/nodes/0", "in"), "2101 node \"c1\": missing key \"in\"");
  EXPECT_EQ(without("/nodes/0", "id"), "2101 nodes[0]: missing key \"id\"");
  for (const char* key : {"input", "output", "nodes"})
    EXPECT_EQ(without("", key), fmt::format("2101 graph: missing key \"{}\"", key));
}

TEST(GraphJson, types) {
  EXPECT_EQ(patched("/nodes/0/kernel", 3.0), "2103 node \"c1\": \"kernel\" must be an integer, got number");
  EXPECT_EQ(patched("/nodes/0/kernel", "3"), "2103 node \"c1\": \"kernel\" must be an integer, got string");
  EXPECT_EQ(patched("/nodes/0/kernel", {3, 3, 3}),
            "2103 node \"c1\": \"kernel\" must be an integer or [height, width]");
  EXPECT_EQ(patched("/nodes/0/bias", 1), "2103 node \"c1\": \"bias\" must be true or false, got number");
  EXPECT_EQ(patched("/nodes/1/eps", "x"), "2103 node \"b1\": \"eps\" must be a number, got string");
  EXPECT_EQ(patched("/nodes/1/in", "c1"), "2103 node \"b1\": \"in\" must be a list, got string");
  EXPECT_EQ(patched("/nodes/1/in", {1}), "2103 node \"b1\": \"in\" must be a string, got number");
  EXPECT_EQ(patched("/nodes/1/in", {"c1", "x"}), "2115 node \"b1\": bn reads 1 nodes, got 2");
  EXPECT_EQ(patched("/nodes/1", 7), "2103 nodes[1]: want an object, got number");
  EXPECT_EQ(patched("/nodes", 7), "2103 graph: \"nodes\" must be a list, got number");
  EXPECT_EQ(patched("/input/shape", {3, 8}), "2103 graph input: \"shape\" must be [channels, height, width]");
  EXPECT_EQ(patched("/nodes/3/indices", "all"), "2103 node \"s\": \"indices\" must be a list, got string");
  EXPECT_EQ(error_of(json::array()), "2103 graph: want an object, got array");
  EXPECT_EQ(error_of(json()), "2103 graph: want an object, got null");
}

TEST(GraphJson, ranges) {
  EXPECT_EQ(patched("/nodes/0/kernel", 0), "2107 node \"c1\": kernel is 0, want 1..65536");
  EXPECT_EQ(patched("/nodes/0/stride", 0), "2107 node \"c1\": stride is 0, want 1..65536");
  EXPECT_EQ(patched("/nodes/0/pad", 3),
            "2107 node \"c1\": pad is 3, want 0 or more and less than the kernel (3)");
  EXPECT_EQ(patched("/nodes/0/out_channels", 65537),
            "2107 node \"c1\": out_channels is 65537, want 1..65536");
  EXPECT_EQ(patched("/nodes/0/out_channels", UINT64_MAX),
            "2107 node \"c1\": \"out_channels\" is out of range");
  EXPECT_EQ(patched("/nodes/0/pad", INT64_MIN).substr(0, 24), "2107 node \"c1\": pad is -");
  EXPECT_EQ(patched("/nodes/0/groups", 2),
            "2108 node \"c1\": groups 2 must divide its input's channels (3) and out_channels (4)");
  EXPECT_EQ(patched("/nodes/1/eps", 1e300), "2107 node \"b1\": \"eps\" is out of range");
  EXPECT_EQ(patched("/nodes/1/momentum", -0.5), "2107 node \"b1\": momentum must be within 0..1");
  EXPECT_EQ(patched("/nodes/3/indices", {0, 4}), "2107 node \"s\": indices must ascend within 0..3, got 4");
  EXPECT_EQ(patched("/nodes/3/indices", {0, 1 << 20}), "2107 node \"s\": index 1048576 is out of range");
  EXPECT_EQ(patched("/nodes/3/total", 5), "2108 node \"s\": total is 5, but \"r1\" has 4 channels");
  EXPECT_EQ(patched("/nodes/3/total", 0), "2107 node \"s\": total is 0, want 1 or more");
  EXPECT_EQ(patched("/input/shape", {3, 8, 0}), "2107 node \"x\": width is 0, want 1..65536");
  EXPECT_EQ(patched("/input/shape", {3, 2, 2}).substr(0, 5), "2109 ");
  EXPECT_EQ(patched("/nodes/3", {{"id", "s"}, {"op", "add"}, {"in", {"r1", "x"}}}),
            "2108 node \"s\": adds shapes that differ: \"r1\" is (4, 4, 3), \"x\" is (3, 8, 6)");
}

TEST(GraphJson, a_hundred_thousand_nodes_pass_and_one_more_does_not) {
  json j = {{"input", {{"id", "n0"}, {"shape", {1, 1, 1}}}}, {"nodes", json::array()}};
  for (int i = 1; i < 100'000; ++i)
    j["nodes"].push_back(
        {{"id", fmt::format("n{}", i)}, {"op", "relu"}, {"in", {fmt::format("n{}", i - 1)}}});
  j["output"] = "n99999";
  std::reverse(j["nodes"].begin(), j["nodes"].end());
  EXPECT_EQ(graph_from_json(j).nodes.size(), 100'000u);
  j["nodes"].push_back({{"id", "last"}, {"op", "relu"}, {"in", {"n99999"}}});
  EXPECT_EQ(error_of(j), "2110 the graph has 100001 nodes, at most 100000 are allowed");
}

}  // namespace eb::engine
