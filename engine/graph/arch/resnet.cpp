#include "engine/graph/arch/resnet.h"

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/arch/builder.h"

namespace eb::engine {

namespace {

struct ResnetBlock {
  std::string id;
  int64_t planes, stride;
  bool downsample, downsample_bias;
};

int conv_bn(GraphBuilder& g, const std::string& prefix, const std::string& n, int x, int64_t out, Window w) {
  return g.bn(prefix + "bn" + n, g.conv(prefix + "conv" + n, x, out, w));
}

// relu(x + shortcut), where the shortcut is the block input or its projection.
int join(GraphBuilder& g, const ResnetBlock& b, int x, int input, int64_t out) {
  const std::string p = b.id + ".";
  int shortcut = input;
  if (b.downsample) {
    shortcut = g.conv(p + "downsample.0", input, out, {1, b.stride, 0}, b.downsample_bias);
    shortcut = g.bn(p + "downsample.1", shortcut);
  }
  return g.relu(p + "relu", g.add(p + "add", x, shortcut));
}

int basic_block(GraphBuilder& g, const ResnetBlock& b, int input) {
  const std::string p = b.id + ".";
  int x = g.relu(p + "relu1", conv_bn(g, p, "1", input, b.planes, {3, b.stride, 1}));
  x = conv_bn(g, p, "2", x, b.planes, {3, 1, 1});
  return join(g, b, x, input, b.planes);
}

int bottleneck(GraphBuilder& g, const ResnetBlock& b, int input) {
  const std::string p = b.id + ".";
  int x = g.relu(p + "relu1", conv_bn(g, p, "1", input, b.planes, {1, 1, 0}));
  x = g.relu(p + "relu2", conv_bn(g, p, "2", x, b.planes, {3, b.stride, 1}));
  x = conv_bn(g, p, "3", x, b.planes * 4, {1, 1, 0});
  return join(g, b, x, input, b.planes * 4);
}

struct ResnetDepth {
  int depth;
  int blocks[4];
  int (*block)(GraphBuilder&, const ResnetBlock&, int);
};

const ResnetDepth resnet_depths[] = {{18, {2, 2, 2, 2}, basic_block},
                                     {34, {3, 4, 6, 3}, basic_block},
                                     {50, {3, 4, 6, 3}, bottleneck},
                                     {101, {3, 4, 23, 3}, bottleneck},
                                     {152, {3, 8, 36, 3}, bottleneck}};

const ResnetDepth& resnet_depth(int depth) {
  for (const ResnetDepth& d : resnet_depths)
    if (d.depth == depth) return d;
  throw Error(errors::unknown_architecture,
              "resnet depth must be 18, 34, 50, 101 or 152: got " + std::to_string(depth), "set model.depth");
}

// Size after the stem's conv and pool and the three strided stages, each of which halves and rounds up.
int64_t final_size(int64_t size) {
  return (size + 31) / 32;
}

}  // namespace

// The last pool is the reference's AvgPool2d over the whole map, which its FLOPs rule counts
// (docs/method.md 6.1).
Graph resnet(const ArchOptions& options) {
  const ResnetDepth& d = resnet_depth(options.depth);
  GraphBuilder g(options);
  int x = g.conv("conv1", g.input(), g.scaled(64), {7, 2, 3});
  x = g.relu("relu", g.bn("bn1", x));
  x = g.max_pool("maxpool", x, {3, 2, 1});
  for (int stage = 0; stage < 4; ++stage)
    for (int i = 0; i < d.blocks[stage]; ++i) {
      const bool widens = i == 0 && (stage > 0 || d.block == bottleneck);
      const std::string id = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      x = d.block(
          g, {id, g.scaled(64 << stage), i == 0 && stage > 0 ? 2 : 1, widens, options.downsample_bias}, x);
    }
  x = g.avg_pool("avgpool", x, final_size(options.input[1]), final_size(options.input[2]));
  return g.finish(g.linear("fc", x, options.num_classes));
}

}  // namespace eb::engine
