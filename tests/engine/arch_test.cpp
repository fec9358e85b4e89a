// The presets against the reference's own numbers and names (docs/method.md 1.1, 1.2, 7).
#include "engine/graph/arch/arch.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace eb::engine {

static int64_t bn_channels(const Graph& g) {
  int64_t total = 0;
  for (int i : g.bn_nodes()) total += g.nodes[i].c;
  return total;
}

static ArchOptions cifar(int depth) {
  return {.depth = depth};
}
static ArchOptions imagenet(int depth) {
  return {.depth = depth, .input = {3, 224, 224}, .num_classes = 1000};
}

static std::string error_of(const std::string& name, const ArchOptions& options) {
  try {
    build_arch(name, options);
  } catch (const Error& e) {
    return std::to_string(e.code()) + " " + e.message();
  }
  return "no error";
}

TEST(Arch, bn_channel_totals_are_the_reference_s) {
  EXPECT_EQ(bn_channels(build_arch("vgg", cifar(11))), 2752);
  EXPECT_EQ(bn_channels(build_arch("vgg", cifar(13))), 2944);
  EXPECT_EQ(bn_channels(build_arch("vgg", cifar(16))), 4224);
  EXPECT_EQ(bn_channels(build_arch("vgg", cifar(19))), 5504);
  EXPECT_EQ(bn_channels(build_arch("preresnet", cifar(101))), 7408);
  EXPECT_EQ(bn_channels(build_arch("preresnet", cifar(164))), 12112);
  EXPECT_EQ(bn_channels(build_arch("resnet", imagenet(18))), 4800);
  EXPECT_EQ(bn_channels(build_arch("resnet", imagenet(50))), 26560);
  EXPECT_EQ(build_arch("resnet", imagenet(50)).bn_nodes().size(), 53u);
}

TEST(Arch, vgg16_positions_are_the_reference_s) {
  const Graph g = build_arch("vgg", cifar(16));
  for (int i : {0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40}) {
    const int conv = g.find("feature." + std::to_string(i)), bn = g.find("feature." + std::to_string(i + 1));
    ASSERT_GE(conv, 0) << i;
    EXPECT_EQ(g.nodes[conv].op, Op::conv) << i;
    EXPECT_FALSE(g.nodes[conv].bias) << i;
    EXPECT_EQ(g.nodes[bn].op, Op::bn) << i;
  }
  for (int i : {6, 13, 23, 33})
    EXPECT_EQ(g.nodes[g.find("feature." + std::to_string(i))].op, Op::max_pool) << i;
  const Node& last = g.nodes[g.output];
  EXPECT_EQ(last.id, "classifier");
  EXPECT_TRUE(last.bias);
  EXPECT_EQ(last.c, 10);
  const Node& before = g.nodes[last.in[0]];
  EXPECT_EQ(before.c * before.h * before.w, 512);
}

TEST(Arch, width_multiplies_hidden_channels_only) {
  ArchOptions o = cifar(16);
  o.width = 0.25;
  const Graph g = build_arch("vgg", o);
  EXPECT_EQ(g.nodes[g.find("feature.0")].c, 16);
  EXPECT_EQ(g.nodes[g.find("feature.40")].c, 128);
  EXPECT_EQ(g.nodes[g.output].c, 10);
  o.width = 1e-6;
  EXPECT_EQ(bn_channels(build_arch("vgg", o)), 13);
  o.width = 0;
  EXPECT_EQ(error_of("vgg", o).substr(0, 10), "2112 width");
}

TEST(Arch, preresnet_block_is_in_module_order) {
  const Graph g = build_arch("preresnet", cifar(101));
  const std::vector<std::string> order = {
      "conv1",          "layer1.0.bn1", "layer1.0.select", "layer1.0.conv1",        "layer1.0.bn2",
      "layer1.0.conv2", "layer1.0.bn3", "layer1.0.conv3",  "layer1.0.downsample.0", "layer1.1.bn1"};
  for (size_t i = 1; i < order.size(); ++i) {
    ASSERT_GE(g.find(order[i]), 0) << order[i];
    EXPECT_LT(g.find(order[i - 1]), g.find(order[i])) << order[i];
  }
  EXPECT_EQ(g.nodes[g.find("layer1.0.downsample.0")].in[0], g.find("conv1"));
  EXPECT_EQ(g.nodes[g.find("layer1.1.bn1")].in[0], g.find("layer1.0.add"));
  EXPECT_EQ(g.nodes[g.find("layer2.0.conv1")].stride[0], 1);
  EXPECT_EQ(g.nodes[g.find("layer2.0.conv2")].stride[0], 2);
  EXPECT_EQ(g.nodes[g.find("layer2.0.downsample.0")].stride[0], 2);
  EXPECT_GE(g.find("layer3.0.downsample.0"), 0);
  EXPECT_EQ(g.find("layer1.1.downsample.0"), -1);
  EXPECT_EQ(g.find("layer1.11.bn1"), -1);
  const Node& select = g.nodes[g.find("select")];
  EXPECT_TRUE(select.select_all);
  EXPECT_EQ(select.select_total, 256);
}

TEST(Arch, resnet_downsample_comes_after_the_last_bn_of_its_block) {
  for (const auto& [depth, last] : {std::pair{18, "layer2.0.bn2"}, std::pair{50, "layer2.0.bn3"}}) {
    const Graph g = build_arch("resnet", imagenet(depth));
    EXPECT_LT(g.find(last), g.find("layer2.0.downsample.0"));
    EXPECT_LT(g.find("layer2.0.downsample.1"), g.find("layer2.1.bn1"));
    EXPECT_EQ(g.find("layer1.0.downsample.0") >= 0, depth == 50);
  }
  const Graph g = build_arch("resnet", imagenet(50));
  EXPECT_EQ(g.nodes[g.find("layer2.0.conv1")].stride[0], 1);
  EXPECT_EQ(g.nodes[g.find("layer2.0.conv2")].stride[0], 2);
  EXPECT_EQ(g.nodes[g.find("maxpool")].h, 56);
  EXPECT_EQ(g.nodes[g.find("layer4.2.relu")].h, 7);
}

TEST(Arch, every_resnet_pools_its_whole_last_map) {
  for (int64_t size : {32, 33, 63, 64, 65, 96, 224, 225})
    for (int depth : {18, 34, 50, 101, 152}) {
      ArchOptions o = imagenet(depth);
      o.input[1] = size, o.input[2] = 64;
      const Graph g = build_arch("resnet", o);
      const Node& pool = g.nodes[g.find("avgpool")];
      EXPECT_EQ(pool.h * pool.w, 1) << depth << " at " << size;
      EXPECT_EQ(g.nodes[pool.in[0]].h, pool.kernel[0]) << depth << " at " << size;
    }
}

TEST(Arch, bad_options_are_named) {
  EXPECT_EQ(error_of("preresnet", cifar(100)),
            "2112 preresnet depth must be 9n+2: got 100, nearest are 92 and 101");
  EXPECT_EQ(error_of("preresnet", cifar(2)), "2112 preresnet depth must be 9n+2: got 2, smallest is 11");
  EXPECT_EQ(error_of("vgg", cifar(17)), "2112 vgg depth must be 11, 13, 16 or 19: got 17");
  EXPECT_EQ(error_of("resnet", imagenet(20)), "2112 resnet depth must be 18, 34, 50, 101 or 152: got 20");
  EXPECT_EQ(error_of("vggg", cifar(16)), "2112 unknown architecture \"vggg\"");
  ArchOptions tiny = cifar(16);
  tiny.input[1] = 8;
  EXPECT_EQ(error_of("vgg", tiny).substr(0, 23), "2109 node \"feature.33\":");
  ArchOptions none = cifar(16);
  none.num_classes = 0;
  EXPECT_EQ(error_of("vgg", none).substr(0, 23), "2107 node \"classifier\":");
}

}  // namespace eb::engine
