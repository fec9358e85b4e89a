#include "engine/graph/arch/vgg.h"

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/arch/builder.h"

namespace eb::engine {

namespace {

struct VggDepth {
  int depth;
  int convs[5];  // per stage of 64, 128, 256, 512, 512 channels
};

const VggDepth vgg_depths[] = {
    {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}};
const int64_t stage_channels[5] = {64, 128, 256, 512, 512};

const VggDepth& vgg_depth(int depth) {
  for (const VggDepth& d : vgg_depths)
    if (d.depth == depth) return d;
  throw Error(errors::unknown_architecture,
              "vgg depth must be 11, 13, 16 or 19: got " + std::to_string(depth), "set model.depth");
}

}  // namespace

// The reference averages the last 2x2 map inside forward; a global pool is the same at 32x32 and takes other
// sizes.
Graph vgg(const ArchOptions& options) {
  const VggDepth& d = vgg_depth(options.depth);
  GraphBuilder g(options);
  int x = g.input(), position = 0;
  const auto feature = [&] { return "feature." + std::to_string(position++); };
  for (int stage = 0; stage < 5; ++stage) {
    if (stage > 0) x = g.max_pool(feature(), x, {2, 2, 0});
    for (int i = 0; i < d.convs[stage]; ++i) {
      x = g.conv(feature(), x, g.scaled(stage_channels[stage]), {3, 1, 1});
      x = g.bn(feature(), x);
      x = g.relu(feature(), x);
    }
  }
  x = g.global_avg_pool("avgpool", x);
  return g.finish(g.linear("classifier", x, options.num_classes));
}

}  // namespace eb::engine
