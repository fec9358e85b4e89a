#include "tools/report/gather/comparison_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/report/gather/settings.h"

namespace eb::tools {

using nlohmann::json;
using Settings = std::map<std::string, std::string>;

bool Row::dense() const {
  return setting("early_bird.enabled") == "false";
}

std::string Row::setting(const std::string& key) const {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

// Without a search its settings say nothing.
static Settings telling(const RunFiles& run) {
  if (run.config.is_null()) return {};
  Settings settings = settings_of(run);
  const bool dense = settings["early_bird.enabled"] == "false";
  std::erase_if(settings, [&](const auto& entry) {
    const bool search = entry.first.starts_with("early_bird.") && entry.first != "early_bird.enabled";
    return is_incidental(entry.first) || (dense && search);
  });
  return settings;
}

std::vector<Row> rows_of(const std::vector<RunFiles>& runs) {
  std::vector<Row> rows;
  for (size_t i = 0; i < runs.size(); ++i) {
    Settings settings = telling(runs[i]);
    const auto same = [&](const Row& row) { return row.settings == settings && !settings.empty(); };
    auto row = std::find_if(rows.begin(), rows.end(), same);
    if (row == rows.end()) row = rows.insert(rows.end(), {std::move(settings), {}});
    row->runs.push_back(i);
  }
  return rows;
}

// True if the values of `keys` tell all rows apart.
static bool tell_apart(const std::vector<Row>& rows, const std::vector<std::string>& keys) {
  std::set<std::vector<std::string>> seen;
  for (const Row& row : rows) {
    std::vector<std::string> values;
    for (const std::string& key : keys) values.push_back(row.setting(key));
    if (row.settings.empty()) values.push_back(std::to_string(row.runs[0]));
    seen.insert(values);
  }
  return seen.size() == rows.size();
}

// Every label starts with one of them.
static bool leads(const std::string& key) {
  return key == "early_bird.enabled" || key == "early_bird.draw";
}

// What variants are called by: never left out where it differs.
static bool names_variants(const std::string& key) {
  return leads(key) || key == "early_bird.criterion" || key == "early_bird.after.weights";
}

static bool is_default(const Row& row, const std::string& key) {
  return !row.settings.contains(key) ||
         row.setting(key) == experiment_fields().find(key)->default_value.dump();
}

// True if the ratio alone says it. The deadline means something only to searches that find nothing.
static bool is_plain(const Row& row, const std::vector<std::string>& keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
    return leads(key) || key == "early_bird.deadline" || is_default(row, key);
  });
}

// Of dense networks and tickets each has keys that the other lacks.
static bool differs(const std::vector<Row>& rows, const std::string& key) {
  std::set<std::string> values;
  for (const Row& row : rows)
    if (row.settings.contains(key)) values.insert(row.setting(key));
  return values.size() > 1;
}

// Keys whose values differ, less those that the others make superfluous. Only a row of defaults may end up
// with nothing but its ratio.
static std::vector<std::string> label_keys(const std::vector<Row>& rows) {
  std::vector<std::string> keys = experiment_fields().keys();
  std::erase_if(keys, [&](const std::string& key) { return !differs(rows, key); });
  const std::vector<std::string> order(keys.rbegin(), keys.rend());
  for (const std::string& key : order) {
    std::vector<std::string> fewer = keys;
    std::erase(fewer, key);
    const auto stays_plain = [&](const Row& row) { return is_plain(row, fewer) == is_plain(row, keys); };
    if (!names_variants(key) && tell_apart(rows, fewer) && std::all_of(rows.begin(), rows.end(), stays_plain))
      keys = std::move(fewer);
  }
  std::erase_if(keys, leads);
  return keys;
}

// The shortest end of a key that occurs in no other: "depth", "weights", but "after.schedule" since there is
// "train.schedule.kind" too.
static std::string short_name(const std::string& key) {
  const auto in_other = [&](const std::string& name) {
    for (const std::string& other : experiment_fields().keys())
      if (other != key && ("." + other + ".").find("." + name + ".") != std::string::npos) return true;
    return false;
  };
  size_t at = key.size();
  while ((at = key.rfind('.', at - 1)) != std::string::npos)
    if (const std::string name = key.substr(at + 1); !in_other(name)) return name;
  return key;
}

// "search+retrain" for ["search", "retrain"].
static std::string plain_value(const std::string& dumped) {
  const json value = engine::try_parse_json(dumped);
  if (value.is_string()) return engine::printable(value, 40);
  if (!value.is_array() || value.empty()) return engine::printable(dumped, 40);
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : "+") + plain_value(item.dump());
  return engine::printable(text, 40);
}

// That it is dense, or the ratio, then what is not as it is by default.
template <class Value>
static std::string label_of(const Row& row, const std::vector<std::string>& keys, Value value) {
  if (row.settings.empty()) return fmt::format("run {}, settings unknown", row.runs[0] + 1);
  std::vector<std::string> parts;
  if (row.dense())
    parts.push_back("dense");
  else if (row.settings.contains("early_bird.draw"))
    parts.push_back("p=" + row.setting("early_bird.draw"));
  for (const std::string& key : keys)
    if (!is_default(row, key)) parts.push_back(short_name(key) + "=" + value(row.setting(key)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<std::string> labels_of(const std::vector<Row>& rows) {
  const std::vector<std::string> keys = label_keys(rows);
  std::vector<std::string> labels, exact;
  for (const Row& row : rows) {
    labels.push_back(label_of(row, keys, plain_value));
    exact.push_back(label_of(row, keys, [](const std::string& dumped) { return dumped; }));
  }
  // Long values may have the same beginning.
  const bool different = std::set<std::string>(labels.begin(), labels.end()).size() == labels.size();
  return different ? labels : exact;
}

}  // namespace eb::tools
