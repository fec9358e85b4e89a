#include "tools/experiment/init_from.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/graph/accounting.h"
#include "engine/graph/classifier.h"
#include "engine/run/names.h"
#include "engine/train/model_config.h"
#include "tools/experiment/experiment_fields.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
using Say = std::function<void(const std::string&)>;

namespace {

// What model.init.from names: a checkpoint, a run, or what `export --to torch` wrote.
struct Start {
  fs::path path;
  std::map<std::string, Tensor> tensors;
  json graph;
  std::optional<Config> config;  // exports have none
};

bool is_file(const fs::path& path) {
  std::error_code none;
  return fs::is_regular_file(path, none);
}

Start read_start(const fs::path& given, const Say& say) {
  const bool exported = is_file(given / file_names::model) && !is_file(given / file_names::manifest);
  if (exported || (given.extension() == ".safetensors" && is_file(given))) {
    const fs::path file = exported ? given / file_names::model : given;
    ModelFile model = load_model_file(file);
    return {file, std::move(model.tensors), std::move(model.graph), {}};
  }
  std::string warning;
  const fs::path path = resolve_checkpoint(given, &warning);
  if (!warning.empty()) say("warning: " + warning);
  Checkpoint checkpoint = load_checkpoint(path);
  return {path, std::move(checkpoint.model), checkpoint.graph(),
          config_from_json(experiment_fields(), checkpoint.config(), path.string())};
}

fs::path given_start(const Config& config) {
  return bytes_of_text(config.get<std::string>("model.init.from"));
}

Error does_not_fit(const Start& start, const std::string& why, const std::string& hint) {
  return Error(errors::start_of_another_network,
               fmt::format("the network of {} does not fit: {}", quote_path(start.path), why), hint);
}

std::string image_of(const Node& input) {
  return fmt::format("[{}, {}, {}]", input.c, input.h, input.w);
}

// Global pooling takes images of any size; the weights are the same then.
Graph for_images_of(const Start& start, const Graph& graph, const Node& input) {
  const Node& own = graph.nodes[0];
  if (own.c == input.c && own.h == input.h && own.w == input.w) return graph;
  try {
    if (own.c == input.c)
      if (Graph resized = with_image_size(graph, input.h, input.w);
          graph_cost(resized).params == graph_cost(graph).params)
        return resized;
  } catch (const Error&) {
  }
  throw does_not_fit(start,
                     fmt::format("its images are {}, model.input is {}", image_of(own), image_of(input)),
                     fmt::format("--set model.input='{}', with data of that size", image_of(own)));
}

Graph for_classes_of(const Start& start, const Config& config, const Graph& graph, int64_t wanted) {
  if (config.get<bool>("model.init.replace_classifier"))
    return with_classes(graph, config.get<int64_t>("model.num_classes"));
  const int64_t own = graph.nodes[graph.output].c;
  if (own == wanted) return graph;
  throw does_not_fit(
      start, fmt::format("it has {} classes, the config {}", own, wanted),
      fmt::format("--replace-classifier {} gives it a new last layer; --set model.num_classes={} "
                  "keeps the one it has",
                  wanted, own));
}

std::string described(const Config& config) {
  if (config.is_null("model.arch")) return "model.graph";
  return fmt::format("{} {}", config.get<std::string>("model.arch"), config.at("model.depth").dump());
}

// The keys that say what a network is, but for its images and classes: those are the config's own.
constexpr const char* network_keys[] = {"model.arch",       "model.depth",           "model.width",
                                        "model.batch_norm", "model.downsample_bias", "model.graph"};

void copy_network(Config& to, const Config& from, const std::string& origin) {
  for (const char* key : network_keys) to.set(key, from.at(key), origin);
}

void take(Config& config, const Start& start, const Say& say) {
  const std::string origin = "model.init.from";
  const Graph wanted = described_graph(config);
  const auto adapted = [&](const Graph& graph) {
    return for_classes_of(start, config, for_images_of(start, graph, wanted.nodes[0]),
                          wanted.nodes[wanted.output].c);
  };
  const Graph given = adapted(graph_from_json(start.graph));
  config.set("model.init.graph", nullptr, origin);
  if (to_json(given) == to_json(wanted)) return;
  const std::string before = described(config);
  if (start.config) {
    const bool own_graph = start.config->is_null("model.arch");
    const Graph whole = adapted(described_graph(*start.config));
    copy_network(config, *start.config, origin);
    if (own_graph) config.set("model.graph", to_json(whole), origin);
  }
  const Graph whole = described_graph(config);
  const bool pruned = to_json(given) != to_json(whole);
  if (pruned) config.set("model.init.graph", to_json(given), origin);
  config.check();
  say(fmt::format("the network is that of {}: {} parameters, {} of {}{}", printable_path(start.path),
                  graph_cost(given).params,
                  pruned ? fmt::format("pruned from the {}", graph_cost(whole).params) : "as many as those",
                  described(config),
                  before == described(config) ? "" : ", instead of the config's " + before));
}

// A ticket of a ticket is seldom meant.
void leave_search(Config& config, const Say& say) {
  if (config.is_null("model.init.graph") || !config.get<bool>("early_bird.enabled")) return;
  if (config.origin("early_bird.enabled") == "default") {
    config.set("early_bird.enabled", false, "model.init.from");
    say("it has been pruned already, so it is trained to the end without a search: --set "
        "early_bird.enabled=true prunes it again");
    config.check();
  } else {
    say(fmt::format(
        "it has been pruned already and will be again: early_bird.draw {} is of the channels that "
        "are left",
        config.at("early_bird.draw").dump()));
  }
}

// True if the run in `path` says what its network is.
bool take_from_run(Config& config, const fs::path& path) {
  std::error_code none;
  if (path.empty() || !fs::is_directory(path / file_names::checkpoints, none)) return false;
  const auto found = find_latest(path / file_names::checkpoints);
  if (!found) return false;
  const ModelFile file = load_model_file(found->path / file_names::model);
  const Config before = config_from_json(experiment_fields(), file.config, found->path.string());
  if (before.at("model.init.from") != config.at("model.init.from")) return false;
  copy_network(config, before, "model.init.from");
  config.set("model.init.graph", before.at("model.init.graph"), "model.init.from");
  return true;
}

}  // namespace

void take_network(Config& config, const fs::path& run, const Say& say) {
  if (config.is_null("model.init.from")) {
    if (config.get<bool>("model.init.replace_classifier"))
      throw config.error(errors::keys_contradict, "model.init.replace_classifier",
                         "a network that starts from random weights has no other classifier",
                         "name a checkpoint with --init-from");
    return;
  }
  const bool goes_on = take_from_run(config, run);
  if (!goes_on) take(config, read_start(given_start(config), say), say);
  leave_search(config, goes_on ? Say([](const std::string&) {}) : say);
}

// "the first node that differs is "fc": {...} there, {...} here"; empty if the graphs are the same.
static std::string difference(const json& there, const json& here) {
  if (there == here) return "";
  const json &a = there["nodes"], &b = here["nodes"];
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (a[i] != b[i])
      return fmt::format("the first node that differs is {} there, {} here", a[i].dump(), b[i].dump());
  return fmt::format("it has {} nodes, here are {}", a.size(), b.size());
}

void load_first_weights(Model& model, const Config& config) {
  Start start = read_start(given_start(config),
                           [](const std::string& warning) { std::fprintf(stderr, "%s\n", warning.c_str()); });
  const Graph& own = model.graph();
  Graph graph = for_images_of(start, graph_from_json(start.graph), own.nodes[0]);
  const bool replaces = config.get<bool>("model.init.replace_classifier");
  if (replaces) graph = with_classes(graph, own.nodes[own.output].c);
  if (const std::string differs = difference(to_json(graph), to_json(own)); !differs.empty())
    throw does_not_fit(start, differs, "it is no longer the checkpoint that the run began with");
  if (replaces)
    for (const auto& [name, value] : state_dict(model))
      if (name.starts_with(own.nodes[classifier_of(own)].id + ".")) start.tensors[name] = value;
  load_state_dict(model, start.tensors);
}

}  // namespace eb::tools
