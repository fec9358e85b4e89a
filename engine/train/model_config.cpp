#include "engine/train/model_config.h"

#include <algorithm>

#include "engine/graph/arch/arch.h"

namespace eb::engine {

Graph graph_of(const Config& c) {
  return c.is_null("model.init.graph") ? described_graph(c) : graph_from_json(c.at("model.init.graph"));
}

Graph described_graph(const Config& c) {
  if (c.is_null("model.arch")) return graph_from_json(c.at("model.graph"));
  ArchOptions options{.depth = c.get<int>("model.depth"),
                      .width = c.get<double>("model.width"),
                      .num_classes = c.get<int64_t>("model.num_classes"),
                      .downsample_bias = c.get<bool>("model.downsample_bias")};
  const auto input = c.get<std::vector<int64_t>>("model.input");
  std::copy_n(input.begin(), 3, options.input);
  return build_arch(c.get<std::string>("model.arch"), options);
}

InitConfig init_of(const Config& c) {
  return {c.get<float>("model.init.bn_gamma"), c.get<InitConfig::Linear>("model.init.linear")};
}

}  // namespace eb::engine
