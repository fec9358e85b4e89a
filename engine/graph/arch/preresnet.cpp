#include "engine/graph/arch/preresnet.h"

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/arch/builder.h"

namespace eb::engine {

namespace {

constexpr int max_depth = 2000, expansion = 4;

int blocks_per_stage(int depth) {
  if (depth >= 11 && depth <= max_depth && (depth - 2) % 9 == 0) return (depth - 2) / 9;
  const std::string got = "preresnet depth must be 9n+2: got " + std::to_string(depth);
  if (depth < 11) throw Error(errors::unknown_architecture, got + ", smallest is 11", "set model.depth");
  if (depth > max_depth)
    throw Error(errors::unknown_architecture, got + ", want at most 2000", "set model.depth");
  const int below = (depth - 2) / 9 * 9 + 2;
  throw Error(errors::unknown_architecture,
              got + ", nearest are " + std::to_string(below) + " and " + std::to_string(below + 9),
              "set model.depth");
}

struct PreactBlock {
  std::string id;
  int64_t planes, stride;
  bool downsample;
};

// The shortcut reads the raw block input; node order is bn1, select, conv1, ..., conv3, downsample.
int block(GraphBuilder& g, const PreactBlock& b, int input) {
  const std::string p = b.id + ".";
  int x = g.select_all(p + "select", g.bn(p + "bn1", input));
  x = g.conv(p + "conv1", g.relu(p + "relu1", x), b.planes, {1, 1, 0});
  x = g.relu(p + "relu2", g.bn(p + "bn2", x));
  x = g.conv(p + "conv2", x, b.planes, {3, b.stride, 1});
  x = g.relu(p + "relu3", g.bn(p + "bn3", x));
  x = g.conv(p + "conv3", x, b.planes * expansion, {1, 1, 0});
  const int shortcut =
      b.downsample ? g.conv(p + "downsample.0", input, b.planes * expansion, {1, b.stride, 0}) : input;
  return g.add(p + "add", x, shortcut);
}

}  // namespace

Graph preresnet(const ArchOptions& options) {
  const int n = blocks_per_stage(options.depth);
  GraphBuilder g(options);
  int x = g.conv("conv1", g.input(), g.scaled(16), {3, 1, 1});
  for (int stage = 0; stage < 3; ++stage)
    for (int i = 0; i < n; ++i) {
      const std::string id = "layer" + std::to_string(stage + 1) + "." + std::to_string(i);
      x = block(g, {id, g.scaled(16 << stage), i == 0 && stage > 0 ? 2 : 1, i == 0}, x);
    }
  x = g.select_all("select", g.bn("bn", x));
  x = g.global_avg_pool("avgpool", g.relu("relu", x));
  return g.finish(g.linear("fc", x, options.num_classes));
}

}  // namespace eb::engine
