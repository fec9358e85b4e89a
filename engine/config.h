// Strict configuration. One table of typed fields is the source of reading, defaults, docs, schema, "did you mean"
// and `config explain`; every folder contributes the section it reads. A Config is the resolved result: every key
// present, every value checked.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace eb::engine {

struct Field {
  enum class Type : uint8_t { boolean, integer, number, string, duration, path, list_of_numbers, list_of_integers,
                              list_of_strings, list_of_durations, object };
  std::string key;              // dotted: "train.batch_size"
  Type type;
  nlohmann::json default_value;  // null with `required` means the user must give it
  std::string doc;              // one sentence, with the unit
  std::optional<double> min = std::nullopt, max = std::nullopt;  // inclusive; for lists, of each element
  std::vector<std::string> choices = {};                         // of a string, or of each list element
  bool nullable = false;
  bool required = false;
};
using Table = std::vector<Field>;

class Config {
 public:
  template <class T>
  T get(const std::string& key) const { return at(key).get<T>(); }
  bool is_null(const std::string& key) const { return at(key).is_null(); }
  const nlohmann::json& at(const std::string& key) const;      // dotted; throws std::logic_error for an unknown key
  const nlohmann::json& json() const { return json_; }         // whole tree, table order
  std::string origin(const std::string& key) const;            // "default", "models/vgg16.json:12:5", "--set"
  void set(const std::string& key, nlohmann::json value);      // for CLI flags; re-checked against the table
  const Table& table() const { return *table_; }

 private:
  friend class ConfigLoader;
  nlohmann::json json_;
  std::map<std::string, std::string> origins_;
  const Table* table_ = nullptr;
};

// defaults < extends < files left to right < sets ("a.b=JSON"). Objects merge, everything else replaces.
Config load_config(const Table& table, const std::vector<std::filesystem::path>& files,
                   const std::vector<std::string>& sets = {});
// Checks an already resolved tree (from a run directory or checkpoint).
Config config_from_json(const Table& table, const nlohmann::json& resolved, const std::string& name);

// JSON text with the limits of the config reader (4 MiB, depth 64, arrays <= 100k, duplicate keys and NaN refused,
// // and /* */ comments allowed when `comments`). Error 2001..2002 with file:line:col.
nlohmann::json parse_json(const std::string& text, const std::string& file, bool comments);

}  // namespace eb::engine
