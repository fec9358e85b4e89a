// What is fused and what is not.
#include "engine/model/plan.h"

#include <gtest/gtest.h>

#include "engine/graph/arch/arch.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"

namespace eb::test {

using engine::Graph;
using engine::Step;

// "b1+select s1+add c0+relu -> r1" for each batch norm step, the node's id for others.
static std::vector<std::string> describe(const Graph& g, bool fuse = true) {
  std::vector<std::string> text;
  for (const Step& s : make_steps(g, fuse)) {
    const auto id = [&](int node) { return g.nodes[node].id; };
    std::string t = id(s.node);
    if (s.select >= 0) t += "+select " + id(s.select);
    if (s.other >= 0) t += "+add " + id(s.other);
    if (s.relu) t += "+relu";
    text.push_back(t + (s.output == s.node ? "" : " -> " + id(s.output)));
  }
  return text;
}

static Graph graph(const std::string& name) {
  for (const GraphCase& c : graph_cases())
    if (name == c.name) return c.graph();
  ADD_FAILURE() << "no graph " << name;
  return {};
}

using Steps = std::vector<std::string>;

TEST(Plan, batch_norm_takes_add_and_relu) {
  EXPECT_EQ(describe(graph("residual")),
            (Steps{"c1", "b1+relu -> r1", "p1", "c2", "b2+add p1+relu -> r2", "fc"}));
}

TEST(Plan, batch_norm_takes_select_and_passes_through_a_full_one) {
  EXPECT_EQ(describe(graph("pre_activation")), (Steps{"c0", "b1+select s1+relu -> r1", "c1", "b2+relu -> r2",
                                                      "c2", "sum+add c0", "b3+relu -> r3", "gap", "fc"}));
}

TEST(Plan, of_two_batch_norms_the_later_takes_the_add) {
  EXPECT_EQ(describe(graph("downsample")),
            (Steps{"c0", "b0+relu -> r0", "c1", "b1", "d0", "d1+add b1+relu -> r1", "pool", "fc"}));
}

TEST(Plan, values_with_two_readers_or_a_later_partner_stay_apart) {
  EXPECT_EQ(describe(graph("two_readers")), (Steps{"b0", "c1", "b1", "r1", "sum+add r1", "some", "r2", "c2",
                                                   "sum2+add c2", "pool", "fc", "r3", "out"}));
  EXPECT_EQ(describe(graph("later_partner")), (Steps{"c0", "b0", "c1", "sum+add b0", "r", "gap"}));
}

// The steps with this mark: convolutions whose statistics a batch norm will ask for, batch norms whose
// largest magnitudes a convolution will.
static std::string marked(bool Step::*mark, const Graph& g, bool fuse = true) {
  std::string ids;
  for (const Step& s : make_steps(g, fuse))
    if (s.*mark) ids += (ids.empty() ? "" : " ") + g.nodes[s.node].id;
  return ids;
}

TEST(Plan, convolutions_that_a_batch_norm_alone_reads_leave_their_moments) {
  EXPECT_EQ(marked(&Step::moments, graph("residual")), "c1 c2");
  EXPECT_EQ(marked(&Step::moments, graph("residual"), false), "");
  EXPECT_EQ(marked(&Step::moments, graph("pre_activation")), "c1");  // c0 has two readers, an add reads c2
  EXPECT_EQ(marked(&Step::moments, graph("two_readers")), "c1");
}

TEST(Plan, batch_norms_that_a_convolution_reads_find_their_largest) {
  EXPECT_EQ(marked(&Step::largest, graph("pre_activation")), "b1 b2");  // a pool reads b3's value
  EXPECT_EQ(marked(&Step::largest, graph("pre_activation"), false), "");
  EXPECT_EQ(marked(&Step::largest, graph("residual")), "");  // a pool reads b1's, the output is behind b2's
  EXPECT_EQ(marked(&Step::largest, tiny_graph()), "a_bn b_bn");
}

TEST(Plan, output_stays_visible) {
  Graph g = graph("visible_output");
  g.nodes.push_back({.id = "r", .op = engine::Op::relu, .in = {2}});
  EXPECT_EQ(describe(g), (Steps{"c", "b", "r"}));
}

TEST(Plan, without_fusion_every_node_is_a_step) {
  for (const GraphCase& c : graph_cases())
    EXPECT_EQ(describe(c.graph(), false).size(), c.graph().nodes.size() - 1) << c.name;
}

TEST(Plan, architectures_keep_no_plain_relu) {
  struct Case {
    const char* arch;
    int depth;
    int64_t size;
    size_t steps;
  };
  // VGG16: 13 x (conv, bn), 4 pools, average pool, classifier. PreResNet-20: stem, 6 x 3 x (bn, conv), 6
  // adds, 3 downsamples, last bn, pool, fc. ResNet-18: stem conv and bn, pool, 16 x (conv, bn), 3 x (conv,
  // bn), pool, fc.
  const Case cases[] = {{"vgg", 16, 32, 32}, {"preresnet", 20, 32, 49}, {"resnet", 18, 224, 43}};
  for (const Case& c : cases) {
    engine::ArchOptions options;
    options.depth = c.depth, options.input[1] = options.input[2] = c.size;
    const Graph g = engine::build_arch(c.arch, options);
    const auto steps = make_steps(g);
    for (const Step& s : steps) {
      EXPECT_NE(g.nodes[s.node].op, engine::Op::relu) << c.arch << ' ' << g.nodes[s.node].id;
    }
    size_t runs = 0;
    for (const Step& s : steps) runs += g.nodes[s.node].op != engine::Op::select;
    EXPECT_EQ(runs, c.steps) << c.arch;
  }
}

}  // namespace eb::test
