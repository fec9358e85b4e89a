#include "tools/report/gather/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/experiment/experiment_fields.h"

namespace eb::tools {

using engine::Field;
using nlohmann::json;

std::vector<ConfigChange> config_changes(const RunFiles& run) {
  std::vector<ConfigChange> changes;
  for (const Field& field : experiment_fields().fields) {
    const json* value = config_value(run.config, field.key);
    if (value && *value != field.default_value) changes.push_back({field.key, *value, field.default_value});
  }
  return changes;
}

static std::string plain_text(const json& value) {
  if (value.is_string()) return value;
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : ", ") + plain_text(item);
  return text;
}

static void add_entries(const std::string& prefix, const json& object, std::vector<EnvironmentEntry>& list) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object())
      add_entries(prefix + name + ".", value, list);
    else
      list.push_back({prefix + name, plain_text(value)});
  }
}

std::vector<EnvironmentEntry> environment_of(const RunFiles& run) {
  std::vector<EnvironmentEntry> list;
  if (run.env.is_object()) add_entries("", run.env, list);
  return list;
}

std::map<std::string, std::string> settings_of(const RunFiles& run) {
  std::map<std::string, std::string> settings;
  for (const Field& field : experiment_fields().fields) {
    const json* value = config_value(run.config, field.key);
    settings[field.key] = (value ? *value : field.default_value).dump();
  }
  return settings;
}

bool is_incidental(const std::string& key) {
  static const std::vector<std::string> names = {"eb_config",        "name",         "seed",
                                                 "data.root",        "data.workers", "data.cache_mib",
                                                 "cuda.memory_mib",  "swa.evaluate", "early_bird.watch",
                                                 "early_bird.preset"};
  return key.starts_with("checkpoint.") || key.starts_with("log.") ||
         std::find(names.begin(), names.end(), key) != names.end();
}

}  // namespace eb::tools
