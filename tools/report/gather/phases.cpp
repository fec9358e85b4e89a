#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/report/gather/networks.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

json epochs_json(const RunFiles& run) {
  json epochs = json::array();
  for (const EpochRecord& e : run.epochs)
    epochs.push_back({{"epoch", e.epoch},
                      {"phase", e.phase},
                      {"train_loss", or_null(e.train_loss)},
                      {"train_top1", or_null(e.train_top1)},
                      {"test_loss", or_null(e.test_loss)},
                      {"test_top1", or_null(e.test_top1)},
                      {"test_top5", or_null(e.test_top5)},
                      {"holdout_top1", or_null(e.holdout_top1)},
                      {"lr", or_null(e.lr)},
                      {"images_per_s", or_null(e.images_per_s)},
                      {"seconds", or_null(e.seconds)}});
  return epochs;
}

static Number seconds_of(const PhaseRecord& phase, const char* part) {
  if (!phase.seconds) return std::nullopt;
  const auto found = phase.seconds->find(part);
  return found == phase.seconds->end() ? std::nullopt : Number(found->second);
}

// What the whole phase took, less what is accounted for. Steps whose parts are not known are one part.
static Number other_seconds(const PhaseRecord& phase, const json& seconds) {
  const Number wall = seconds_of(phase, "wall");
  if (!wall) return std::nullopt;
  double rest = *wall;
  const bool parts = seconds["forward"].is_number();
  if (!parts && seconds["training"].is_number()) rest -= seconds["training"].get<double>();
  for (const auto& [name, value] : seconds.items())
    if (name != "training" && value.is_number()) rest -= value.get<double>();
  return std::max(0.0, rest);
}

static json seconds_json(const PhaseRecord& phase) {
  json seconds = {{"training", or_null(phase.train_seconds)},
                  {"data_wait", or_null(phase.data_wait_seconds)},
                  {"evaluation", or_null(phase.eval_seconds)}};
  for (const char* part : {"forward", "backward", "optimizer", "early_bird", "checkpoint"})
    seconds[part] = or_null(seconds_of(phase, part));
  seconds["other"] = or_null(other_seconds(phase, seconds));
  return seconds;
}

static json start_epoch(Count step, int64_t per_epoch) {
  if (!step) return nullptr;
  if (*step == 0) return 0;
  return per_epoch > 0 ? json(static_cast<double>(*step) / static_cast<double>(per_epoch)) : json(nullptr);
}

static json bytes_json(const PhaseFormat::Bytes& bytes) {
  return {{"weights", or_null(bytes.weights)},
          {"gradients", or_null(bytes.gradients)},
          {"momentum", or_null(bytes.momentum)},
          {"activations", or_null(bytes.activations)}};
}

static json phase_json(const PhaseRecord& phase, int64_t per_epoch) {
  return {{"name", or_null(phase.name)},
          {"start_epoch", start_epoch(phase.start_step, per_epoch)},
          {"precision", or_null(phase.format.precision)},
          {"images_per_s", or_null(phase.images_per_s())},
          {"seconds", seconds_json(phase)},
          {"energy_method", or_null(phase.energy_method)},
          {"bytes", bytes_json(phase.format.bytes)},
          {"start_step", or_null(phase.start_step)},
          {"steps", or_null(phase.steps)},
          {"samples", or_null(phase.samples)},
          {"params", or_null(phase.params)},
          {"flops_per_image", or_null(phase.flops_per_image)},
          {"macs_per_image", or_null(phase.macs_per_image)},
          {"peak_memory_bytes", or_null(phase.peak_memory_bytes)},
          {"joules", or_null(phase.joules)}};
}

json phases_json(const RunFiles& run) {
  json rows = json::array();
  for (const PhaseRecord& phase : phases_of(run)) rows.push_back(phase_json(phase, steps_per_epoch(run)));
  return rows;
}

}  // namespace eb::tools
