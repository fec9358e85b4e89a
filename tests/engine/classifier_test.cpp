// Which layer gives a network its classes, and the network with others.
#include "engine/graph/classifier.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/error_codes.h"
#include "engine/graph/accounting.h"
#include "engine/graph/arch/arch.h"
#include "support/error_code.h"

using namespace eb;
using namespace eb::engine;
using nlohmann::json;

namespace {

Graph arch(const char* name, int depth) {
  ArchOptions options{.depth = depth, .width = 0.0625, .num_classes = 10};
  return build_arch(name, options);
}

Graph ending_in(const json& tail, const char* output) {
  json nodes = {{{"id", "a"}, {"op", "conv"}, {"in", {"x"}}, {"out_channels", 4}, {"kernel", 3}, {"pad", 1}}};
  for (const json& node : tail) nodes.push_back(node);
  return graph_from_json(
      {{"input", {{"id", "x"}, {"shape", {3, 8, 8}}}}, {"output", output}, {"nodes", nodes}});
}

json node(const char* id, const char* op, const json& in) {
  return {{"id", id}, {"op", op}, {"in", in}};
}

}  // namespace

TEST(Classifier, of_every_architecture_is_its_last_layer) {
  for (const auto& [name, depth, id] :
       {std::tuple{"vgg", 11, "classifier"}, {"preresnet", 11, "fc"}, {"resnet", 18, "fc"}}) {
    const Graph graph = arch(name, depth);
    EXPECT_EQ(graph.nodes[classifier_of(graph)].id, id);
    const Graph other = with_classes(graph, 7);
    EXPECT_EQ(other.nodes[other.output].c, 7);
    json a = to_json(graph), b = to_json(other);
    ASSERT_EQ(a["nodes"].size(), b["nodes"].size());
    int differing = 0;
    for (size_t i = 0; i < a["nodes"].size(); ++i) differing += a["nodes"][i] != b["nodes"][i];
    EXPECT_EQ(differing, 1) << name;
  }
}

TEST(Classifier, may_be_a_convolution_in_front_of_a_pool) {
  json conv = node("b", "conv", {"a"});
  conv["out_channels"] = 10;
  conv["kernel"] = 1;
  const Graph graph = ending_in({conv, node("r", "relu", {"b"}), node("p", "global_avg_pool", {"r"})}, "p");
  EXPECT_EQ(graph.nodes[classifier_of(graph)].id, "b");
  EXPECT_EQ(with_classes(graph, 3).nodes[graph.output].c, 3);
}

TEST(Classifier, two_layers_that_are_added_are_none) {
  json b = node("b", "conv", {"a"}), c = node("c", "conv", {"a"});
  for (json* n : {&b, &c}) (*n)["out_channels"] = 10, (*n)["kernel"] = 1;
  const Graph graph =
      ending_in({b, c, node("s", "add", {"b", "c"}), node("p", "global_avg_pool", {"s"})}, "p");
  EXPECT_EQ(test::code_of([&] { with_classes(graph, 3); }), eb::errors::no_classifier);
}

TEST(Classifier, images_of_another_size_leave_globally_pooled_networks_as_they_are) {
  const Graph graph = arch("resnet", 18), larger = with_image_size(graph, 64, 48);
  EXPECT_EQ(larger.nodes[0].h, 64);
  EXPECT_EQ(graph_cost(larger).params, graph_cost(graph).params);
  EXPECT_GT(graph_cost(larger).flops, graph_cost(graph).flops);
  // As the architecture itself would be, whose last pool is over the whole map.
  ArchOptions options{.depth = 18, .width = 0.0625, .num_classes = 10};
  options.input[1] = 64, options.input[2] = 48;
  EXPECT_EQ(to_json(larger), to_json(build_arch("resnet", options)));
}
