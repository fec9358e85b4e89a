#include "tools/experiment/model_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "data/data_config.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/lone_batch_norm.h"
#include "engine/graph/shapes.h"
#include "engine/train/model_config.h"
#include "pruning/protect.h"

namespace eb::tools {

using engine::Config;
using engine::Graph;
using engine::name_of;
using engine::Node;
using engine::quote;
using DataKind = data::DataConfig::Kind;
namespace errors = eb::errors;

namespace {

// Somebody wrote it: in a file, whose line is known then, or by --set. In a run's own config every key has a
// value.
bool is_given(const Config& c, const std::string& key) {
  const std::string from = c.origin(key);
  const size_t colon = from.rfind(':');
  const bool has_line = colon != std::string::npos && colon + 1 < from.size() &&
                        std::all_of(from.begin() + static_cast<std::ptrdiff_t>(colon) + 1, from.end(),
                                    [](unsigned char ch) { return std::isdigit(ch); });
  return from.starts_with("--set ") || has_line;
}

// The key that decides over the network.
const char* network_key(const Config& c) {
  return c.is_null("model.arch") ? "model.graph" : "model.arch";
}

void refuse_keys_of_arch(const Config& c) {
  for (const char* key : {"model.depth", "model.width", "model.downsample_bias"}) {
    const nlohmann::json& usual = c.table().find(key)->default_value;
    if (is_given(c, key) && c.at(key) != usual)
      throw c.error(errors::keys_contradict, key, "model.graph has every layer, so this would change nothing",
                    fmt::format("remove it, or set it to {}; eb_engine config graph writes the graph of an "
                                "architecture with it",
                                usual.dump()));
  }
}

void take_from_graph(Config& c, const char* key, const nlohmann::json& value, const std::string& node) {
  if (c.at(key) == value) return;
  if (is_given(c, key))
    throw c.error(errors::keys_contradict, key,
                  fmt::format("{}, but {} of model.graph says {}", c.at(key).dump(), node, value.dump()),
                  "make the two equal, or leave this key out");
  c.set(key, value, "model.graph");
}

}  // namespace

void graph_rule(Config& c) {
  if (!c.is_null("model.arch")) return;
  refuse_keys_of_arch(c);
  const Graph graph = engine::graph_of(c);
  const Node &in = graph.nodes[0], &out = graph.nodes[graph.output];
  if (out.h != 1 || out.w != 1 || out.c < 2)
    throw c.error(errors::bad_graph_output, "model.graph",
                  fmt::format("the output {} is {}, want (classes, 1, 1) with 2 classes or more",
                              quote(out.id), shape_text(out)),
                  "end with a linear node, or with a global_avg_pool");
  take_from_graph(c, "model.input", {in.c, in.h, in.w}, "the input");
  take_from_graph(c, "model.num_classes", out.c, fmt::format("the output {}", quote(out.id)));
}

void classes_rule(Config& c) {
  const auto kind = c.get<DataKind>("data.kind");
  const auto classes = c.get<int64_t>("model.num_classes");
  const std::map<DataKind, int64_t> known = {{DataKind::cifar10_bin, 10},
                                             {DataKind::cifar100_bin, 100},
                                             {DataKind::synthetic, c.get<int64_t>("data.synthetic.classes")}};
  const auto found = known.find(kind);
  if (found == known.end() || found->second == classes) return;
  const bool graph = c.is_null("model.arch");
  throw c.error(errors::keys_contradict, graph ? "model.graph" : "model.num_classes",
                fmt::format("{} has {} classes, the model {}", name_of(kind), found->second, classes),
                graph ? fmt::format("give the output out_channels {}", found->second)
                      : fmt::format("set model.num_classes to {}", found->second));
}

void image_rule(Config& c) {
  const auto input = c.get<std::vector<int64_t>>("model.input");
  const auto augment = c.get<std::vector<data::Augment>>("data.augment");
  const auto kind = c.get<DataKind>("data.kind");
  const std::string place = c.is_null("model.arch") ? "the input of model.graph" : "model.input";
  if (input[0] != 3)
    throw c.error(errors::keys_contradict, c.is_null("model.arch") ? "model.graph" : "model.input",
                  fmt::format("{} has {} channels, and images have 3: red, green, blue", place, input[0]),
                  "use [3, height, width]; grey pictures are read as three equal channels");
  std::string key = "data.kind";
  int64_t side = kind == DataKind::cifar10_bin || kind == DataKind::cifar100_bin ? 32 : 0;
  if (kind == DataKind::synthetic) key = "data.synthetic.size", side = c.get<int64_t>(key);
  if (std::count(augment.begin(), augment.end(), data::Augment::random_resized_crop))
    key = "data.image_size", side = c.get<int64_t>(key);
  if (side && (side != input[1] || input[1] != input[2]))
    throw c.error(errors::keys_contradict, key,
                  fmt::format("images of {}x{}, but {} is {}x{}", side, side, place, input[1], input[2]),
                  "make the two equal");
  if (c.at("data.normalize.mean").size() != static_cast<size_t>(input[0]))
    throw c.error(errors::keys_contradict, "data.normalize.mean",
                  fmt::format("want one value per channel of model.input: {}", input[0]));
}

void batch_norm_rule(Config& c) {
  const Graph graph = engine::graph_of(c);
  if (const Node* bn = engine::lone_batch_norm(graph, c.get<int64_t>("train.batch_size")))
    throw c.error(
        errors::keys_contradict, "train.batch_size",
        fmt::format("1, and the batch norm {} sees one value a channel of such a batch, which has no "
                    "variance",
                    quote(bn->id)),
        "use 2 or more, or a batch norm where the picture is larger than 1x1");
}

void ticket_rule(Config& c) {
  if (!c.get<bool>("early_bird.enabled")) return;
  const Graph graph = engine::graph_of(c);
  if (graph.bn_nodes().empty())
    throw c.error(errors::no_batch_norm, network_key(c),
                  "the network has no batch norm, so there are no scales to draw a ticket from",
                  "put a bn behind the convolutions, or set early_bird.enabled to false");
  try {
    pruning::check_protect(graph, c.get<std::vector<std::string>>("early_bird.protect"));
  } catch (const Error& e) {
    throw Error(e.code(), e.message(), e.hint(), c.error(e.code(), "early_bird.protect", "").where());
  }
}

}  // namespace eb::tools
