#include "engine/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/config/config_check.h"

namespace eb::engine {

using nlohmann::json;

static json::json_pointer pointer_of(const std::string& key) {
  std::string p = "/" + key;
  std::replace(p.begin(), p.end(), '.', '/');
  return json::json_pointer(p);
}

const Field* Table::find(const std::string& key) const {
  const auto f = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.key == key; });
  return f == fields.end() ? nullptr : &*f;
}

bool Table::is_section(const std::string& key) const {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& f) { return f.key.starts_with(key + "."); });
}

std::vector<std::string> Table::keys() const {
  std::vector<std::string> all;
  for (const Field& f : fields) all.push_back(f.key);
  return all;
}

std::vector<std::string> Table::below(const std::string& section) const {
  std::vector<std::string> names;
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const Field& f : fields) {
    if (!f.key.starts_with(prefix)) continue;
    const std::string name = f.key.substr(prefix.size(), f.key.find('.', prefix.size()) - prefix.size());
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

static std::string section_of(const Field& f) {
  return f.key.substr(0, f.key.find('.') == std::string::npos ? 0 : f.key.find('.'));
}

// A section that two tables share stays in one piece, where it first was.
static void append(std::vector<Field>& all, const Field& f) {
  const auto same = [&](const Field& other) { return section_of(other) == section_of(f); };
  const auto last = std::find_if(all.rbegin(), all.rend(), same);
  all.insert(last == all.rend() ? all.end() : last.base(), f);
}

Table concatenate(const std::vector<const Table*>& tables) {
  Table all;
  for (const Table* t : tables) {
    for (const Field& f : t->fields) append(all.fields, f);
    all.presets.insert(all.presets.end(), t->presets.begin(), t->presets.end());
    all.rules.insert(all.rules.end(), t->rules.begin(), t->rules.end());
  }
  return all;
}

std::string Origin::place() const {
  const auto position = text ? locate(*text, pointer) : std::nullopt;
  return position ? fmt::format("{}:{}:{}", name, position->line, position->column) : name;
}

std::string Origin::where() const {
  if (name == "default") return "";
  return pointer.empty() ? place() : fmt::format("{}   ({})", place(), printable(pointer));
}

const json& Config::at(const std::string& key) const {
  const auto pointer = pointer_of(key);
  if (!json_.contains(pointer)) throw std::logic_error("no config key " + key);
  return json_.at(pointer);
}

nlohmann::ordered_json Config::ordered() const {
  nlohmann::ordered_json tree = nlohmann::ordered_json::object();
  for (const Field& f : table_->fields)
    tree[nlohmann::ordered_json::json_pointer(pointer_of(f.key).to_string())] = at(f.key);
  return tree;
}

std::string Config::origin(const std::string& key) const {
  const auto found = origins_.find(key);
  if (found == origins_.end()) throw std::logic_error("no config key " + key);
  return found->second.place();
}

void Config::store(const std::string& key, nlohmann::json value, Origin origin) {
  json_[pointer_of(key)] = std::move(value);
  origins_[key] = std::move(origin);
}

void Config::set(const std::string& key, nlohmann::json value, const std::string& origin) {
  const Field* f = table_->find(key);
  if (!f) throw std::logic_error("no config key " + key);
  if (value.is_string()) value = text_of_bytes(value.get_ref<const std::string&>());
  const Origin from{origin};
  store(key, check_value(*f, std::move(value), from), from);
}

void Config::check() {
  for (const auto rule : table_->rules) rule(*this);
}

Error Config::error(int code, const std::string& key, const std::string& message,
                    const std::string& hint) const {
  return Error(code, key + ": " + message, hint, origins_.at(key).where());
}

}  // namespace eb::engine
