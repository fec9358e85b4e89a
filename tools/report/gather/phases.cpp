#include <algorithm>

#include "tools/report/gather/networks.h"

namespace eb::tools {

using nlohmann::json;

json epochs_json(const RunFiles& run) {
  static const std::vector<std::pair<const char*, const char*>> columns = {
      {"train_loss", "train/loss"}, {"train_top1", "train/top1"},
      {"test_loss", "test/loss"},   {"test_top1", "test/top1"},
      {"test_top5", "test/top5"},   {"holdout_top1", "holdout/top1"},
      {"lr", "train/lr"},           {"images_per_s", "perf/images_per_s"},
      {"seconds", "perf/seconds"}};
  json epochs = json::array();
  for (const json& line : run.epochs) {
    json epoch = {{"epoch", line["epoch"]}, {"phase", string_at(line, {"phase"})}};
    for (const auto& [name, key] : columns) epoch[name] = number_at(line, {key});
    epochs.push_back(std::move(epoch));
  }
  return epochs;
}

// What the whole phase took, less what is accounted for. Steps whose parts are not known are one part.
static json other_seconds(const json& phase, const json& seconds) {
  const json wall = number_at(phase, {"seconds", "wall"});
  if (wall.is_null()) return nullptr;
  double rest = wall;
  const bool parts = seconds["forward"].is_number();
  if (!parts && seconds["training"].is_number()) rest -= seconds["training"].get<double>();
  for (const auto& [name, value] : seconds.items())
    if (name != "training" && value.is_number()) rest -= value.get<double>();
  return std::max(0.0, rest);
}

static json seconds_json(const json& phase) {
  json seconds = {{"training", number_at(phase, {"train_seconds"})},
                  {"data_wait", number_at(phase, {"data_wait_seconds"})},
                  {"evaluation", number_at(phase, {"eval_seconds"})}};
  for (const char* name : {"forward", "backward", "optimizer", "early_bird", "checkpoint"})
    seconds[name] = number_at(phase, {"seconds", name});
  seconds["other"] = other_seconds(phase, seconds);
  return seconds;
}

static json rate(const json& samples, const json& seconds) {
  if (!samples.is_number() || !seconds.is_number() || samples <= 0 || seconds <= 0) return nullptr;
  return samples.get<double>() / seconds.get<double>();
}

static json start_epoch(const json& step, int64_t per_epoch) {
  if (!step.is_number()) return nullptr;
  if (step == 0) return 0;
  return per_epoch > 0 ? json(step.get<double>() / static_cast<double>(per_epoch)) : json(nullptr);
}

static json phase_json(const json& phase, int64_t per_epoch) {
  json bytes = json::object();
  for (const char* name : {"weights", "gradients", "momentum", "activations"})
    bytes[name] = number_at(phase, {"bytes", name});
  json row = {{"name", string_at(phase, {"name"})},
              {"start_epoch", start_epoch(number_at(phase, {"start_step"}), per_epoch)},
              {"precision", string_at(phase, {"precision"})},
              {"images_per_s", rate(number_at(phase, {"samples"}), number_at(phase, {"train_seconds"}))},
              {"seconds", seconds_json(phase)},
              {"energy_method", string_at(phase, {"energy_method"})},
              {"bytes", bytes}};
  for (const char* name : {"start_step", "steps", "samples", "params", "flops_per_image", "macs_per_image",
                           "peak_memory_bytes", "joules"})
    row[name] = number_at(phase, {name});
  if (row["joules"].is_number() && row["energy_method"].is_null()) row["energy_method"] = "rapl";
  return row;
}

// Checkpoints keep precision and bytes apart from the phases they belong to.
static json with_formats(const RunFiles& run, json phase, size_t i) {
  const json& formats = at(run.state, {"hooks", "blocks", "phases"});
  if (phase.contains("precision") || !formats.is_array() || i >= formats.size() || !formats[i].is_object())
    return phase;
  phase.update(formats[i]);
  return phase;
}

json phases_json(const RunFiles& run) {
  json rows = json::array();
  const json& phases = phases_of(run);
  if (!phases.is_array()) return rows;
  for (size_t i = 0; i < phases.size(); ++i)
    if (phases[i].is_object())
      rows.push_back(phase_json(with_formats(run, phases[i], i), steps_per_epoch(run)));
  return rows;
}

}  // namespace eb::tools
