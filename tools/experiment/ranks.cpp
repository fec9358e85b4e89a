#include "tools/experiment/ranks.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/checkpoint/checkpoint_parts.h"
#include "engine/run/names.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/resume.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
namespace fs = std::filesystem;

// What hosts may have otherwise.
static json comparable(json config) {
  config.erase("log");
  config["data"].erase("root");
  config["data"].erase("workers");
  return config;
}

void require_same_configs(const Config& config, World& world) {
  if (world.size() == 1) return;
  std::vector<std::pair<std::string, std::string>> fields;
  const json own = comparable(config.json()).flatten();
  for (const auto& [key, value] : own.items()) fields.emplace_back("config " + key, value.dump());
  world.handshake(fields);
}

static int64_t shards_of(const Config& config) {
  return config.is_null("distributed.shards") ? 1 : config.get<int64_t>("distributed.shards");
}

static std::optional<int64_t> shards_of_run(const fs::path& out) {
  std::error_code none;
  if (out.empty() || !fs::is_directory(out / file_names::checkpoints, none)) return std::nullopt;
  const auto found = find_latest(out / file_names::checkpoints);
  if (!found) return std::nullopt;
  const ModelFile file = load_model_file(found->path / file_names::model);
  const Config before = config_from_json(experiment_fields(), file.config, found->path.string());
  return shards_of(before);
}

void take_shards(Config& config, const fs::path& out, World& world) {
  if (!config.is_null("distributed.shards")) {
    if (config.get<int64_t>("train.accumulate") != 1)
      throw config.error(errors::keys_contradict, "train.accumulate",
                         "has no effect where distributed.shards says how a batch is cut",
                         "leave one of them out");
    return;
  }
  const int64_t fresh = world.size() * config.get<int64_t>("train.accumulate");
  int64_t shards = fresh;
  if (world.leads()) shards = shards_of_run(out).value_or(fresh);
  if (world.size() > 1) shards = std::stoll(world.broadcast(std::to_string(shards)));
  if (shards > 1) config.set("distributed.shards", shards, "distributed.shards: null");
}

static Error not_allowed(const Config& config, int64_t shards, int ranks) {
  return config.error(
      errors::ranks_not_allowed, "distributed.shards",
      fmt::format("{} ranks cannot share {} shards", ranks, shards),
      fmt::format("ranks that can: {}; another distributed.shards (with --allow-change "
                  "distributed.shards for a run that is there) has other batch norm groups and "
                  "other bits",
                  fmt::join(allowed_ranks(shards), ", ")));
}

DataParallel data_parallel(const Config& config, World& world,
                           const std::function<void(const std::string&)>& tell) {
  DataParallel p{.world = world.size() > 1 ? &world : nullptr,
                 .shards = shards_of(config),
                 .bucket_bytes = config.get<int64_t>("distributed.bucket_mib") << 20};
  if (!ranks_allowed(world.size(), p.shards)) throw not_allowed(config, p.shards, world.size());
  const auto batch = config.get<int64_t>("train.batch_size");
  if (batch < p.shards)
    throw config.error(errors::keys_contradict, "train.batch_size",
                       fmt::format("{} images cannot be cut into {} shards", batch, p.shards),
                       "a larger batch, or fewer distributed.shards");
  if (!p.sharded()) return p;
  constexpr int64_t few = 16;  // fewer make noisy statistics
  tell(fmt::format(
      "{} rank{} on {} host{}, {} shards: {} images a step, of which a batch norm sees {}{}; learning "
      "rate {} as given",
      world.size(), world.size() == 1 ? "" : "s", world.hosts(), world.hosts() == 1 ? "" : "s", p.shards,
      batch, batch / p.shards, batch / p.shards < few ? " (few: its statistics are noisy)" : "",
      config.get<double>("train.optimizer.lr")));
  return p;
}

void require_ranks_on(const std::string& device, int ranks) {
  if (device == "cpu" || ranks == 1) return;
  throw Error(errors::ranks_on_cards, fmt::format("{} ranks on cards: this build trains on one card", ranks),
              "leave --ranks and --gpus out, or use --device cpu; train.accumulate cuts a batch on one card");
}

// The files of a checkpoint, from the first rank's disk to a folder of each other.
static fs::path copy_from_first(const fs::path& path, const fs::path& to, World& world) {
  const std::string name = world.broadcast(path.filename().string());
  std::vector<std::string> files;
  if (world.leads()) {
    for (const auto& [file, part] : read_manifest(path).files) files.push_back(file);
    files.emplace_back(file_names::manifest);
  }
  const json list = json::parse(world.broadcast(json(files).dump()));
  if (!world.leads()) make_directories(to / name);
  for (const auto& file : list) {
    const std::string bytes = world.broadcast(world.leads() ? read_file(path / file.get<std::string>()) : "");
    if (!world.leads()) replace_file(to / name / file.get<std::string>(), bytes);
  }
  return world.leads() ? path : to / name;
}

RunDir open_run_of_rank(const std::string& out, const Config& config, std::string& resume, World& world,
                        SessionObserver& observer) {
  if (world.size() == 1) return open_run(out, config);
  RunDir run = world.leads() ? open_run(out, config) : RunDir::scratch();
  std::optional<fs::path> found;
  if (world.leads()) found = checkpoint_to_resume(run, resume, observer);
  if (world.broadcast(found ? "yes" : "").empty()) {
    resume = "never";
    return run;
  }
  resume = copy_from_first(found.value_or(""), run.path() / file_names::checkpoints, world);
  return run;
}

}  // namespace eb::tools
