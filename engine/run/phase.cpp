#include "engine/run/phase.h"

#include <nlohmann/json.hpp>

namespace eb::engine {

using nlohmann::json;

// 0 stands for "unknown" inside a session only.
static json or_null(int64_t value) {
  return value ? json(value) : json(nullptr);
}

json to_json(const PhaseRecord& p) {
  return {{"name", p.name},
          {"params", p.params},
          {"flops_per_image", p.flops_per_image},
          {"macs_per_image", or_null(p.macs_per_image)},
          {"start_step", p.start_step},
          {"steps", p.steps},
          {"samples", p.samples},
          {"train_seconds", p.train_seconds},
          {"eval_seconds", p.eval_seconds},
          {"data_wait_seconds", p.data_wait_seconds},
          {"seconds", p.timed ? json(p.seconds) : json(nullptr)},
          {"peak_memory_bytes", or_null(p.peak_memory_bytes)},
          {"joules", p.energy_measured ? json(p.joules) : json(nullptr)},
          {"energy_method", p.energy_measured ? json("rapl") : json(nullptr)}};
}

static int64_t integer_or_zero(const json& j, const char* key) {
  return j.contains(key) && !j[key].is_null() ? j[key].get<int64_t>() : 0;
}

PhaseRecord phase_from_json(const json& j) {
  PhaseRecord p{j.at("name"),          j.at("params"),       j.at("flops_per_image"),
                j.at("start_step"),    j.at("steps"),        j.at("samples"),
                j.at("train_seconds"), j.at("eval_seconds"), j.at("data_wait_seconds")};
  p.energy_measured = !j.at("joules").is_null();
  if (p.energy_measured) p.joules = j.at("joules");
  p.macs_per_image = integer_or_zero(j, "macs_per_image");
  p.peak_memory_bytes = integer_or_zero(j, "peak_memory_bytes");
  p.timed = j.contains("seconds") && !j["seconds"].is_null();
  if (p.timed) p.seconds = j["seconds"].get<std::map<std::string, double>>();
  return p;
}

}  // namespace eb::engine
