// The grouping expected of each architecture, written down by node ids.
#include "engine/graph/channel_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/graph/arch/arch.h"

namespace eb::engine {

using Ids = std::set<std::string>;

static Ids ids(const Graph& g, const std::vector<int>& nodes) {
  Ids out;
  for (int i : nodes) out.insert(g.nodes[i].id);
  return out;
}

static const ChannelGroup& group_of(const Graph& g, const ChannelGroups& all, const std::string& id) {
  return all.groups.at(all.of_node.at(g.find(id)));
}

static size_t count_prunable(const ChannelGroups& all) {
  return std::count_if(all.groups.begin(), all.groups.end(), [](const auto& g) { return g.prunable; });
}

// What every grouping must satisfy.
static void expect_consistent(const Graph& g, const ChannelGroups& all) {
  ASSERT_EQ(all.of_node.size(), g.nodes.size());
  ASSERT_EQ(all.of_bn.size(), g.nodes.size());
  size_t members = 0;
  for (const ChannelGroup& group : all.groups) members += group.nodes.size();
  EXPECT_EQ(members, g.nodes.size());
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    EXPECT_EQ(all.groups[all.of_node[i]].channels, g.nodes[i].c) << g.nodes[i].id;
    EXPECT_EQ(all.of_bn[i] >= 0, g.nodes[i].op == Op::bn) << g.nodes[i].id;
  }
  for (size_t k = 0; k < all.groups.size(); ++k)
    for (int gate : all.groups[k].gates) EXPECT_EQ(all.of_bn[gate], static_cast<int>(k));
}

TEST(ChannelGroups, vgg_has_one_gated_group_per_conv) {
  const Graph g = build_arch("vgg", {.depth = 16});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(all.groups.size(), 15u);  // input, 13 convs, classifier
  EXPECT_EQ(count_prunable(all), 13u);
  const ChannelGroup& last = group_of(g, all, "feature.40");
  EXPECT_EQ(ids(g, last.nodes), (Ids{"feature.40", "feature.41", "feature.42", "avgpool"}));
  EXPECT_EQ(ids(g, last.gates), Ids{"feature.41"});
  EXPECT_EQ(last.selector, -1);
  EXPECT_FALSE(group_of(g, all, "x").prunable);
  EXPECT_FALSE(group_of(g, all, "classifier").prunable);
}

TEST(ChannelGroups, preresnet_keeps_its_streams_and_selects_from_them) {
  const Graph g = build_arch("preresnet", {.depth = 29});  // 3 blocks a stage
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  // input, fc; streams: stem and one per stage; per block: one select and two inner; the last select
  EXPECT_EQ(all.groups.size(), 2u + 4 + 9 * 3 + 1);
  EXPECT_EQ(count_prunable(all), 9u * 3 + 1);
  for (const char* id : {"conv1", "layer1.0.add", "layer2.0.add", "layer3.0.add"})
    EXPECT_FALSE(group_of(g, all, id).prunable) << id;
  EXPECT_EQ(ids(g, group_of(g, all, "conv1").nodes), (Ids{"conv1", "layer1.0.bn1"}));
  EXPECT_EQ(ids(g, group_of(g, all, "layer3.1.add").nodes),
            (Ids{"layer3.0.conv3", "layer3.0.downsample.0", "layer3.0.add", "layer3.1.bn1", "layer3.1.conv3",
                 "layer3.1.add", "layer3.2.bn1", "layer3.2.conv3", "layer3.2.add", "bn"}));
  const ChannelGroup& selected = group_of(g, all, "layer2.1.select");
  EXPECT_EQ(ids(g, selected.nodes), (Ids{"layer2.1.select", "layer2.1.relu1"}));
  EXPECT_EQ(selected.selector, g.find("layer2.1.bn1"));
  EXPECT_TRUE(selected.gates.empty());
  EXPECT_EQ(all.of_bn[g.find("layer2.1.bn1")], all.of_node[g.find("layer2.1.select")]);
  const ChannelGroup& inner = group_of(g, all, "layer2.1.conv1");
  EXPECT_EQ(ids(g, inner.nodes), (Ids{"layer2.1.conv1", "layer2.1.bn2", "layer2.1.relu2"}));
  EXPECT_EQ(ids(g, inner.gates), Ids{"layer2.1.bn2"});
  const ChannelGroup& final_select = group_of(g, all, "select");
  EXPECT_TRUE(final_select.prunable);
  EXPECT_EQ(final_select.selector, g.find("bn"));
  EXPECT_EQ(ids(g, final_select.nodes), (Ids{"select", "relu", "avgpool"}));
}

TEST(ChannelGroups, resnet18_has_four_streams_and_eight_inner_groups) {
  const Graph g = build_arch("resnet", {.depth = 18, .input = {3, 64, 64}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(all.groups.size(), 2u + 4 + 8);
  EXPECT_EQ(count_prunable(all), 12u);
  EXPECT_EQ(ids(g, group_of(g, all, "conv1").gates), (Ids{"bn1", "layer1.0.bn2", "layer1.1.bn2"}));
  for (const char* s : {"layer2", "layer3", "layer4"}) {
    const std::string p = s;
    const ChannelGroup& stream = group_of(g, all, p + ".0.conv2");
    EXPECT_EQ(ids(g, stream.gates), (Ids{p + ".0.bn2", p + ".0.downsample.1", p + ".1.bn2"}));
    EXPECT_TRUE(stream.prunable);
    EXPECT_EQ(ids(g, group_of(g, all, p + ".1.conv1").gates), Ids{p + ".1.bn1"});
  }
  EXPECT_NE(all.of_node[g.find("layer1.1.relu")], all.of_node[g.find("layer2.0.conv1")]);
}

TEST(ChannelGroups, resnet50_streams_are_separate_from_the_stem) {
  const Graph g = build_arch("resnet", {.depth = 50, .input = {3, 64, 64}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(all.groups.size(), 2u + 1 + 4 + 2 * 16);  // input, fc, stem, streams, two inner per block
  EXPECT_EQ(count_prunable(all), 1u + 4 + 32);
  EXPECT_EQ(ids(g, group_of(g, all, "conv1").nodes), (Ids{"conv1", "bn1", "relu", "maxpool"}));
  EXPECT_EQ(ids(g, group_of(g, all, "layer1.0.add").gates),
            (Ids{"layer1.0.bn3", "layer1.0.downsample.1", "layer1.1.bn3", "layer1.2.bn3"}));
}

// A user's graph in JSON; node shorthand "id op in..." keeps the cases readable.
static Graph user_graph(const std::vector<std::vector<std::string>>& rows) {
  nlohmann::json nodes = nlohmann::json::array();
  for (const auto& r : rows) {
    nlohmann::json n = {{"id", r[0]}, {"op", r[1]}, {"in", {r[2]}}};
    if (r[1] == "add") n["in"].push_back(r[3]);
    if (r[1] == "dw")
      n.update({{"op", "conv"}, {"out_channels", 8}, {"kernel", 3}, {"pad", 1}, {"groups", 8}});
    if (r[1] == "dw" && r.size() > 3) n["bias"] = true;
    if (r[1] == "widening_dw") n.update({{"op", "conv"}, {"out_channels", 16}, {"kernel", 3}, {"groups", 8}});
    if (r[1] == "grouped")
      n.update({{"op", "conv"}, {"out_channels", 8}, {"kernel", 3}, {"pad", 1}, {"groups", 2}});
    if (r[1] == "conv") n.update({{"out_channels", 8}, {"kernel", 1}});
    if (r[1] == "linear") n["out_channels"] = 3;
    nodes.push_back(n);
  }
  return graph_from_json(
      {{"input", {{"id", "x"}, {"shape", {3, 6, 6}}}}, {"output", rows.back()[0]}, {"nodes", nodes}});
}

static bool prunable(const std::vector<std::vector<std::string>>& rows, const std::string& id) {
  const Graph g = user_graph(rows);
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  return group_of(g, all, id).prunable;
}

TEST(ChannelGroups, preactivation_without_selects_starts_groups_at_its_bns) {
  const Graph g = user_graph({{"stem", "conv", "x"},
                              {"b1", "bn", "stem"},
                              {"r1", "relu", "b1"},
                              {"c1", "conv", "r1"},
                              {"sum", "add", "c1", "stem"},
                              {"b2", "bn", "sum"},
                              {"r2", "relu", "b2"},
                              {"fc", "linear", "r2"}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  const ChannelGroup& stream = group_of(g, all, "stem");
  EXPECT_EQ(ids(g, stream.nodes), (Ids{"stem", "c1", "sum"}));
  EXPECT_FALSE(stream.prunable);
  for (const auto& [bn, relu] : {std::pair{"b1", "r1"}, std::pair{"b2", "r2"}}) {
    const ChannelGroup& own = group_of(g, all, bn);
    EXPECT_EQ(ids(g, own.nodes), (Ids{bn, relu}));
    EXPECT_EQ(own.selector, g.find(bn));
    EXPECT_TRUE(own.gates.empty());
    EXPECT_TRUE(own.prunable);
  }
}

TEST(ChannelGroups, depthwise_block_ties_its_input_to_its_output) {
  const Graph g = user_graph({{"c1", "conv", "x"},
                              {"b1", "bn", "c1"},
                              {"r1", "relu", "b1"},
                              {"dw", "dw", "r1", "bias"},
                              {"b2", "bn", "dw"},
                              {"r2", "relu", "b2"},
                              {"c2", "conv", "r2"},
                              {"b3", "bn", "c2"},
                              {"fc", "linear", "b3"}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(ids(g, group_of(g, all, "dw").nodes), (Ids{"c1", "b1", "r1", "dw", "b2", "r2"}));
  EXPECT_EQ(ids(g, group_of(g, all, "dw").gates), (Ids{"b1", "b2"}));
  EXPECT_TRUE(group_of(g, all, "dw").prunable);
  EXPECT_TRUE(group_of(g, all, "c2").prunable);
}

TEST(ChannelGroups, depthwise_bias_that_nothing_gates_forbids) {
  const auto rows = [](std::vector<std::string> dw) {
    return std::vector<std::vector<std::string>>{
        {"c1", "conv", "x"}, {"b1", "bn", "c1"}, dw, {"r", "relu", "dw"}, {"fc", "linear", "r"}};
  };
  EXPECT_TRUE(prunable(rows({"dw", "dw", "b1"}), "c1"));
  EXPECT_FALSE(prunable(rows({"dw", "dw", "b1", "bias"}), "c1"));
}

TEST(ChannelGroups, grouped_conv_forbids_both_sides) {
  const std::vector<std::vector<std::string>> rows = {
      {"c1", "conv", "x"},  {"b1", "bn", "c1"}, {"g", "grouped", "b1"}, {"b2", "bn", "g"},
      {"c2", "conv", "b2"}, {"b3", "bn", "c2"}, {"fc", "linear", "b3"}};
  EXPECT_FALSE(prunable(rows, "c1"));
  EXPECT_FALSE(prunable(rows, "g"));
  EXPECT_TRUE(prunable(rows, "c2"));
}

TEST(ChannelGroups, depthwise_conv_that_widens_is_a_grouped_conv) {
  const std::vector<std::vector<std::string>> rows = {{"c1", "conv", "x"},
                                                      {"b1", "bn", "c1"},
                                                      {"g", "widening_dw", "b1"},
                                                      {"b2", "bn", "g"},
                                                      {"fc", "linear", "b2"}};
  EXPECT_FALSE(prunable(rows, "c1"));
  EXPECT_FALSE(prunable(rows, "g"));
}

TEST(ChannelGroups, every_producer_of_a_sum_must_be_gated) {
  EXPECT_TRUE(prunable({{"a", "conv", "x"},
                        {"ba", "bn", "a"},
                        {"b", "conv", "x"},
                        {"bb", "bn", "b"},
                        {"sum", "add", "ba", "bb"},
                        {"fc", "linear", "sum"}},
                       "sum"));
  EXPECT_FALSE(prunable({{"a", "conv", "x"},
                         {"ba", "bn", "a"},
                         {"b", "conv", "x"},
                         {"sum", "add", "ba", "b"},
                         {"fc", "linear", "sum"}},
                        "sum"));
  // One batch norm behind the sum gates both, with a relu on the way.
  EXPECT_TRUE(prunable({{"a", "conv", "x"},
                        {"b", "conv", "x"},
                        {"ra", "relu", "a"},
                        {"sum", "add", "ra", "b"},
                        {"bn", "bn", "sum"},
                        {"fc", "linear", "bn"}},
                       "a"));
}

TEST(ChannelGroups, a_conv_read_before_its_bn_is_not_gated) {
  EXPECT_FALSE(prunable({{"a", "conv", "x"},
                         {"ba", "bn", "a"},
                         {"c", "conv", "a"},
                         {"bc", "bn", "c"},
                         {"sum", "add", "ba", "bc"},
                         {"fc", "linear", "sum"}},
                        "a"));
}

// bn(0) is beta, not 0: a gated group that another batch norm reads cannot lose channels.
TEST(ChannelGroups, a_gated_group_that_a_later_bn_reads_stays_whole) {
  const std::vector<std::vector<std::string>> rows = {
      {"a", "conv", "x"}, {"ba", "bn", "a"},          {"s", "bn", "ba"},      {"c", "conv", "s"},
      {"bc", "bn", "c"},  {"sum", "add", "bc", "ba"}, {"fc", "linear", "sum"}};
  EXPECT_FALSE(prunable(rows, "a"));
  EXPECT_TRUE(prunable(rows, "s"));
  EXPECT_TRUE(prunable(rows, "c") == prunable(rows, "a"));  // joined by the sum
}

TEST(ChannelGroups, two_bns_in_a_row_both_gate) {
  const Graph g =
      user_graph({{"a", "conv", "x"}, {"b1", "bn", "a"}, {"b2", "bn", "b1"}, {"fc", "linear", "b2"}});
  const ChannelGroups all = channel_groups(g);
  EXPECT_EQ(ids(g, group_of(g, all, "a").gates), (Ids{"b1", "b2"}));
  EXPECT_TRUE(group_of(g, all, "a").prunable);
}

TEST(ChannelGroups, input_output_and_ungated_layers_are_not_prunable) {
  const std::vector<std::vector<std::string>> rows = {{"bx", "bn", "x"},    {"a", "conv", "bx"},
                                                      {"h", "linear", "a"}, {"bh", "bn", "h"},
                                                      {"o", "conv", "bh"},  {"bo", "bn", "o"}};
  EXPECT_FALSE(prunable(rows, "x"));
  EXPECT_FALSE(prunable(rows, "a"));
  EXPECT_TRUE(prunable(rows, "h"));
  EXPECT_FALSE(prunable(rows, "o"));
}

TEST(ChannelGroups, a_select_without_a_bn_of_its_own_is_left_alone) {
  const std::vector<std::vector<std::string>> rows = {
      {"a", "conv", "x"}, {"b", "bn", "a"},  {"r", "relu", "b"},    {"s", "select", "r"},
      {"c", "conv", "s"}, {"bc", "bn", "c"}, {"fc", "linear", "bc"}};
  EXPECT_FALSE(prunable(rows, "a"));
  EXPECT_FALSE(prunable(rows, "s"));
  EXPECT_TRUE(prunable(rows, "c"));
}

TEST(ChannelGroups, a_select_without_a_bn_spoils_the_sum_it_joins) {
  EXPECT_FALSE(prunable({{"a", "conv", "x"},
                         {"s", "select", "a"},
                         {"c", "conv", "x"},
                         {"bc", "bn", "c"},
                         {"sum", "add", "s", "bc"},
                         {"fc", "linear", "sum"}},
                        "sum"));
}

TEST(ChannelGroups, two_selectors_cannot_decide_over_one_group) {
  const Graph g = user_graph({{"a", "conv", "x"},
                              {"s1", "bn", "a"},
                              {"s2", "bn", "a"},
                              {"c", "conv", "x"},
                              {"sum", "add", "s1", "s2"},
                              {"sum2", "add", "sum", "c"},
                              {"b", "bn", "sum2"},
                              {"fc", "linear", "b"}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(ids(g, group_of(g, all, "sum").gates), Ids{"b"});
  EXPECT_EQ(group_of(g, all, "sum").selector, g.find("s1"));
  EXPECT_FALSE(group_of(g, all, "sum").prunable);
}

TEST(ChannelGroups, a_bn_added_to_its_own_input_gates_but_does_not_close) {
  const Graph g =
      user_graph({{"a", "conv", "x"}, {"b", "bn", "a"}, {"sum", "add", "a", "b"}, {"fc", "linear", "sum"}});
  const ChannelGroups all = channel_groups(g);
  expect_consistent(g, all);
  EXPECT_EQ(ids(g, group_of(g, all, "a").nodes), (Ids{"a", "b", "sum"}));
  EXPECT_EQ(ids(g, group_of(g, all, "a").gates), Ids{"b"});
  EXPECT_EQ(group_of(g, all, "a").selector, -1);
  EXPECT_FALSE(group_of(g, all, "a").prunable);
}

}  // namespace eb::engine
