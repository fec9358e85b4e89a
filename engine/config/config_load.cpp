// Layers of a configuration: files with their `extends`, --set, presets and defaults become one Config.
// Values are checked as they are read, while their place is known; later layers replace single keys.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/config_check.h"
#include "engine/config/config_set.h"

namespace eb::engine {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t max_file = size_t{4} << 20;
constexpr size_t max_extends = 8;

class ConfigLoader {
 public:
  explicit ConfigLoader(const Table& table) : table_(table) {}

  void add_file(const fs::path& path) {
    trail_.clear();
    root_ = fs::weakly_canonical(path).parent_path();
    read(path, Origin{});
  }
  void add_tree(const json& tree, const Origin& origin) { merge(tree, "", origin); }
  void add_set(const std::string& words);
  Config finish();

 private:
  struct Value {
    json value;
    Origin origin;
  };

  void read(const fs::path& path, const Origin& extends);
  fs::path base_of(const fs::path& file, const json& name, const Origin& origin) const;
  void merge(const json& tree, const std::string& section, const Origin& origin);
  void merge_key(const std::string& section, const std::string& name, const json& value,
                 const Origin& origin);
  const json& current(const Field& field) const;
  void apply_presets();

  const Table& table_;
  std::map<std::string, Value> values_;
  std::vector<std::string> warnings_;
  std::set<std::string> sets_;   // keys that --set has given
  std::vector<fs::path> trail_;  // files being read, outermost first
  fs::path root_;                // no file that the first one extends may lie outside
  std::string last_file_;
};

// Opens once, so that what is checked is what is read. Refuses everything but a regular file: no pipe can
// block us and no device can feed us forever. Only the file that the user named may be a symbolic link.
static std::string read_config(const fs::path& path, bool named_by_user, int code, const std::string& where) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (named_by_user ? 0 : O_NOFOLLOW));
  struct stat status {};
  const auto fail = [&](int c, const std::string& why) {
    if (fd >= 0) ::close(fd);
    return Error(c, fmt::format("cannot read {}: {}", quote(path.string()), why), "", where);
  };
  if (fd < 0) throw fail(code, std::strerror(errno));
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) throw fail(code, "not a regular file");
  if (static_cast<size_t>(status.st_size) > max_file) throw fail(errors::json_syntax, "larger than 4 MiB");
  std::string text(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(fd, text.data() + done, text.size() - done);
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  ::close(fd);
  text.resize(done);
  return text;
}

void ConfigLoader::read(const fs::path& path, const Origin& extends) {
  const std::string shown = printable(path.string());
  const fs::path real = fs::weakly_canonical(path);
  if (std::find(trail_.begin(), trail_.end(), real) != trail_.end())
    throw Error(errors::bad_extends, "extends goes in a circle: " + shown + " extends itself", "",
                extends.where());
  if (trail_.size() > max_extends)
    throw Error(errors::bad_extends, "extends is nested deeper than 8 files", "", extends.where());
  const bool first = trail_.empty();
  const auto text = std::make_shared<const std::string>(
      read_config(path, first, first ? errors::config_unreadable : errors::bad_extends, extends.where()));
  last_file_ = shown;
  json tree = parse_json(*text, shown, true);
  const Origin file{shown, text};
  if (!tree.is_object())
    throw Error(errors::wrong_type, "a config file holds one JSON object", "", shown + ":1:1");
  trail_.push_back(real);
  if (tree.contains("extends")) {
    const Origin at{shown, text, "/extends"};
    read(base_of(path, tree["extends"], at), at);
    tree.erase("extends");
  }
  merge(tree, "", file);
  trail_.pop_back();
}

fs::path ConfigLoader::base_of(const fs::path& file, const json& name, const Origin& origin) const {
  if (!name.is_string()) throw Error(errors::wrong_type, "extends: want a path", "", origin.where());
  const fs::path base = name.get<std::string>();
  const auto inside = [&](const fs::path& p) {
    return std::mismatch(root_.begin(), root_.end(), p.begin(), p.end()).first == root_.end();
  };
  const bool climbs = std::find(base.begin(), base.end(), "..") != base.end();
  const fs::path path = file.parent_path() / base;
  if (base.empty() || base.is_absolute() || climbs ||
      name.get<std::string>().find('\0') != std::string::npos || !inside(fs::weakly_canonical(path)))
    throw Error(errors::bad_extends, "extends: " + quote(base.string()) + " leaves the folder of the config",
                "name a file in this folder or below it, as in \"base/cifar.json\"", origin.where());
  return path;
}

void ConfigLoader::merge(const json& tree, const std::string& section, const Origin& origin) {
  for (const auto& [name, value] : tree.items()) {
    Origin at = origin;
    at.pointer = pointer_to(at.pointer, name);
    merge_key(section, name, value, at);
  }
}

void ConfigLoader::merge_key(const std::string& section, const std::string& name, const json& value,
                             const Origin& origin) {
  const std::string key = section.empty() ? name : section + "." + name;
  const bool plain = name.find('.') == std::string::npos;
  if (const Field* field = plain ? table_.find(key) : nullptr) {
    values_[key] = {check_value(*field, value, origin), origin};
  } else if (plain && table_.is_section(key)) {
    if (!value.is_object())
      throw Error(errors::wrong_type, key + ": want an object with its keys", "", origin.where());
    merge(value, key, origin);
  } else {
    throw unknown_key(table_, section, name, origin);
  }
}

const json& ConfigLoader::current(const Field& field) const {
  const auto found = values_.find(field.key);
  return found == values_.end() ? field.default_value : found->second.value;
}

void ConfigLoader::add_set(const std::string& words) {
  const std::string text = text_of_bytes(words);
  const Origin origin{"--set " + printable(text)};
  const SetPath path = parse_set(text, table_, origin);
  if (!sets_.insert(path.text).second)
    warnings_.push_back(
        fmt::format("--set {} is given more than once: the last one counts", printable(path.text)));
  const Field* field = table_.find(path.key);
  const json value = set_value(path, field, origin);
  if (!field) {
    if (!value.is_object())
      throw Error(errors::wrong_type, path.key + ": want an object with its keys", "", origin.where());
    merge(value, path.key, origin);
    return;
  }
  json whole = path.steps.empty() ? value : current(*field);
  if (!path.steps.empty()) replace_inside(whole, path, value, origin);
  values_[path.key] = {check_value(*field, whole, origin), origin};
}

void ConfigLoader::apply_presets() {
  for (const Preset& preset : table_.presets) {
    const json& chosen = current(*table_.find(preset.key));
    if (!chosen.is_string() || chosen != preset.name) continue;
    for (const auto& [key, value] : preset.values)
      if (table_.find(key)) values_.try_emplace(key, Value{value, Origin{"preset " + preset.name}});
  }
}

Config ConfigLoader::finish() {
  apply_presets();
  Config config;
  config.table_ = &table_;
  config.warnings_ = warnings_;
  for (const Field& f : table_.fields) {
    const auto given = values_.find(f.key);
    const Origin origin = given == values_.end() ? Origin{"default"} : given->second.origin;
    if (f.required && given == values_.end())
      throw Error(errors::missing_key, "missing required key \"" + f.key + "\"", "add it: " + f.doc,
                  last_file_);
    const json& value = current(f);
    const bool fresh = given == values_.end() && !value.is_null();
    config.store(f.key, fresh ? check_value(f, value, origin) : value, origin);
  }
  config.check();
  return config;
}

Config load_config(const Table& table, const std::vector<fs::path>& files,
                   const std::vector<std::string>& sets) {
  ConfigLoader loader(table);
  for (const auto& file : files) loader.add_file(file);
  for (const auto& set : sets) loader.add_set(set);
  return loader.finish();
}

Config config_from_json(const Table& table, const json& resolved, const std::string& name) {
  ConfigLoader loader(table);
  if (!resolved.is_object())
    throw Error(errors::wrong_type, "a resolved config is one JSON object", "", name);
  loader.add_tree(resolved, Origin{name});
  return loader.finish();
}

}  // namespace eb::engine
