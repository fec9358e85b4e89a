// Shape inference and its refusals, on graphs built in code.
#include "engine/graph/graph.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/error.h"

namespace eb::engine {

static Graph chain(std::vector<Node> nodes, int64_t c = 3, int64_t h = 8, int64_t w = 6) {
  Graph g;
  Node x{.id = "x", .op = Op::input};
  x.c = c, x.h = h, x.w = w;
  g.nodes = {x};
  for (Node& n : nodes) g.nodes.push_back(std::move(n));
  g.output = static_cast<int>(g.nodes.size()) - 1;
  return g;
}

static Node conv(int64_t out, int64_t kernel, int64_t stride, int64_t pad, int in = 0) {
  Node n{.id = "conv", .op = Op::conv, .in = {in}};
  n.out_channels = out;
  for (int axis : {0, 1}) n.kernel[axis] = kernel, n.stride[axis] = stride, n.pad[axis] = pad;
  return n;
}

static int code_of(Graph g) {
  try {
    g.infer_shapes();
  } catch (const Error& e) {
    return e.code();
  }
  return 0;
}

static void expect_shape(const Node& n, int64_t c, int64_t h, int64_t w) {
  EXPECT_EQ(n.c, c) << n.id;
  EXPECT_EQ(n.h, h) << n.id;
  EXPECT_EQ(n.w, w) << n.id;
}

TEST(Graph, shapes_of_every_op) {
  Node c = conv(4, 3, 2, 1);
  c.stride[1] = 1, c.kernel[1] = 2, c.pad[1] = 0;
  Node pool{.id = "pool", .op = Op::max_pool, .in = {3}};
  pool.kernel[0] = 2, pool.kernel[1] = 3, pool.stride[1] = 2;
  Node some{.id = "select", .op = Op::select, .in = {4}};
  some.select_all = false, some.select = {0, 3};
  Node fc{.id = "fc", .op = Op::linear, .in = {7}};
  fc.out_channels = 7;
  Graph g = chain({c,
                   {.id = "bn", .op = Op::bn, .in = {1}},
                   {.id = "relu", .op = Op::relu, .in = {2}},
                   pool,
                   some,
                   {.id = "all", .op = Op::select, .in = {5}},
                   {.id = "gap", .op = Op::global_avg_pool, .in = {6}},
                   fc});
  g.infer_shapes();
  expect_shape(g.nodes[1], 4, 4, 5);  // (8 + 2 - 3) / 2 + 1, (6 - 2) / 1 + 1
  expect_shape(g.nodes[3], 4, 4, 5);
  expect_shape(g.nodes[4], 4, 3, 2);
  expect_shape(g.nodes[5], 2, 3, 2);
  expect_shape(g.nodes[6], 2, 3, 2);
  expect_shape(g.nodes[7], 2, 1, 1);
  expect_shape(g.nodes[8], 7, 1, 1);
  EXPECT_EQ(g.nodes[5].select_total, 4);
  EXPECT_EQ(g.nodes[6].select_total, 2);
  g.infer_shapes();  // again: nothing derived is in the way
  expect_shape(g.nodes[8], 7, 1, 1);
}

TEST(Graph, lookup_bns_and_consumers) {
  Graph g = chain({conv(3, 1, 1, 0),
                   {.id = "bn", .op = Op::bn, .in = {1}},
                   {.id = "sum", .op = Op::add, .in = {2, 0}},
                   {.id = "bn2", .op = Op::bn, .in = {3}}});
  EXPECT_EQ(g.find("sum"), 3);
  EXPECT_EQ(g.find("nothing"), -1);
  EXPECT_EQ(g.bn_nodes(), (std::vector<int>{2, 4}));
  EXPECT_EQ(g.consumers(), (std::vector<std::vector<int>>{{1, 3}, {2}, {3}, {4}, {}}));
}

TEST(Graph, windows_out_of_range) {
  EXPECT_EQ(code_of(chain({conv(4, 3, 1, 1)})), 0);
  EXPECT_EQ(code_of(chain({conv(4, 0, 1, 0)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 3, 0, 1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 3, 1, 3)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 3, 1, -1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 3, -1, 1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(0, 3, 1, 1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(65537, 3, 1, 1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 7, 1, 0)})), 2109);
  EXPECT_EQ(code_of(chain({conv(4, INT64_MAX, 1, INT64_MAX - 1)})), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 3, 1, INT64_MIN)})), 2107);
  Node pool{.id = "pool", .op = Op::max_pool, .in = {0}};
  pool.kernel[0] = pool.kernel[1] = 16;
  EXPECT_EQ(code_of(chain({pool}, 3, 32, 32)), 2107);
  pool.op = Op::avg_pool;
  EXPECT_EQ(code_of(chain({pool}, 3, 32, 32)), 0);
}

TEST(Graph, input_shape_out_of_range) {
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0)}, 0)), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0)}, 3, 0)), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0)}, 3, 65537, 1)), 2107);
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0)}, 3, 65536, 65536)), 2110);
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0)}, 3, -1)), 2107);
}

TEST(Graph, groups_must_divide) {
  Node c = conv(6, 1, 1, 0);
  c.groups = 3;
  EXPECT_EQ(code_of(chain({c})), 0);
  c.groups = 2;
  EXPECT_EQ(code_of(chain({c})), 2108);
  c.groups = 0;
  EXPECT_EQ(code_of(chain({c})), 2107);
  c.out_channels = 4, c.groups = 3;
  EXPECT_EQ(code_of(chain({c})), 2108);
}

TEST(Graph, sums_must_meet) {
  EXPECT_EQ(code_of(chain({conv(3, 1, 1, 0), {.id = "sum", .op = Op::add, .in = {0, 1}}})), 0);
  EXPECT_EQ(code_of(chain({conv(4, 1, 1, 0), {.id = "sum", .op = Op::add, .in = {0, 1}}})), 2108);
  EXPECT_EQ(code_of(chain({conv(3, 1, 2, 0), {.id = "sum", .op = Op::add, .in = {0, 1}}})), 2108);
  EXPECT_EQ(code_of(chain({{.id = "sum", .op = Op::add, .in = {0, 0}}})), 2108);
}

TEST(Graph, selects_ascend_within_their_input) {
  const auto select = [](std::vector<int32_t> indices, int64_t total = 0) {
    Node n{.id = "select", .op = Op::select, .in = {0}};
    n.select_all = false, n.select = std::move(indices), n.select_total = total;
    return code_of(chain({n}));
  };
  EXPECT_EQ(select({0, 2}), 0);
  EXPECT_EQ(select({0, 2}, 3), 0);
  EXPECT_EQ(select({0, 2}, 4), 2108);
  EXPECT_EQ(select({}), 2107);
  EXPECT_EQ(select({0, 3}), 2107);
  EXPECT_EQ(select({1, 0}), 2107);
  EXPECT_EQ(select({1, 1}), 2107);
  EXPECT_EQ(select({-1, 1}), 2107);
}

TEST(Graph, batch_norm_constants) {
  const auto bn = [](float eps, float momentum) {
    Node n{.id = "bn", .op = Op::bn, .in = {0}};
    n.eps = eps, n.momentum = momentum;
    return code_of(chain({n}));
  };
  EXPECT_EQ(bn(1e-5f, 0.1f), 0);
  EXPECT_EQ(bn(0, 0.1f), 2107);
  EXPECT_EQ(bn(-1, 0.1f), 2107);
  EXPECT_EQ(bn(NAN, 0.1f), 2107);
  EXPECT_EQ(bn(1e-5f, 1.5f), 2107);
  EXPECT_EQ(bn(1e-5f, NAN), 2107);
}

TEST(Graph, structure) {
  EXPECT_EQ(code_of(Graph{}), 2101);
  Graph g = chain({conv(3, 1, 1, 0)});
  g.output = 2;
  EXPECT_EQ(code_of(g), 2111);
  g.output = -1;
  EXPECT_EQ(code_of(g), 2111);
  EXPECT_EQ(code_of(chain({conv(3, 1, 1, 0, 1)})), 2106);  // itself
  EXPECT_EQ(code_of(chain({conv(3, 1, 1, 0, -1)})), 2106);
  EXPECT_EQ(code_of(chain({conv(3, 1, 1, 0), conv(3, 1, 1, 0, 1)})), 2104);  // one id twice
  EXPECT_EQ(code_of(chain({{.id = "", .op = Op::relu, .in = {0}}})), 2104);
  EXPECT_EQ(code_of(chain({{.id = "a b", .op = Op::relu, .in = {0}}})), 2104);
  EXPECT_EQ(code_of(chain({{.id = std::string(201, 'a'), .op = Op::relu, .in = {0}}})), 2104);
  EXPECT_EQ(code_of(chain({{.id = std::string(200, 'a'), .op = Op::relu, .in = {0}}})), 0);
  EXPECT_EQ(code_of(chain({{.id = "sum", .op = Op::add, .in = {0}}})), 2115);
  EXPECT_EQ(code_of(chain({{.id = "dead", .op = Op::relu, .in = {0}}, conv(3, 1, 1, 0)})), 2113);
  EXPECT_EQ(code_of(chain({{.id = "y", .op = Op::input}})), 2101);
}

TEST(Graph, absurd_sizes_are_refused_before_they_overflow) {
  // one weight: 65536 x 65536
  EXPECT_EQ(code_of(chain({conv(65536, 1, 1, 0)}, 65536, 1, 1)), 2110);
  // an activation of 2048 * 2048 * 1024
  EXPECT_EQ(code_of(chain({conv(1024, 1, 1, 0)}, 1, 2048, 2048)), 2110);
  Node fc{.id = "fc", .op = Op::linear, .in = {0}};
  fc.out_channels = 65536;
  EXPECT_EQ(code_of(chain({fc}, 3, 256, 256)), 2110);
  // each layer passes, the sum does not
  std::vector<Node> deep;
  for (int i = 0; i < 20; ++i) {
    deep.push_back(conv(46000, 1, 1, 0, i));
    deep.back().id = fmt::format("c{}", i);
  }
  EXPECT_EQ(code_of(chain(deep, 46000, 1, 1)), 2110);
  deep.resize(5);
  EXPECT_EQ(code_of(chain(deep, 46000, 1, 1)), 0);
  deep[0] = conv(512, 255, 1, 127);
  deep.resize(1);
  EXPECT_EQ(code_of(chain(deep, 32, 2048, 2047)), 2110);  // 4.4e15 multiply-adds
}

TEST(Graph, messages_name_the_node) {
  try {
    Graph g = chain({conv(3, 9, 1, 0)});
    g.infer_shapes();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "node \"conv\": a kernel of 9 does not fit its input (3, 8, 6)");
    EXPECT_EQ(e.exit_code(), 2);
  }
}

}  // namespace eb::engine
