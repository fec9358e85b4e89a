// Strict configuration. One table of typed fields is the source of reading, defaults, docs, schema, "did you
// mean" and `config explain`; every folder contributes the section it reads. A Config is the resolved result:
// every key present, every value checked.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/enum_names.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::engine {

struct Field {
  enum class Type : uint8_t {
    boolean,
    integer,
    number,
    string,
    duration,
    path,
    list_of_numbers,
    list_of_integers,
    list_of_strings,
    list_of_durations,
    object
  };
  std::string key;  // dotted: "train.batch_size"
  Type type;
  nlohmann::json default_value;  // null with `required` means the user must give it
  std::string doc;               // one sentence, with the unit
  std::optional<double> min = std::nullopt, max = std::nullopt;  // inclusive; for lists, of each element
  std::vector<std::string> choices = {};                         // of a string, or of each list element
  bool nullable = false;
  bool required = false;
  bool open = false;                                    // min and max themselves are refused
  size_t length = 0;                                    // of a list; 0 = any
  std::vector<std::string> later = {};                  // choices refused with "not supported yet"
  std::optional<nlohmann::json> only = std::nullopt;    // the one value that is supported yet
  std::map<std::string, nlohmann::json> synonyms = {};  // accepted spellings and what they stand for

  // For tables: Field{"train.clip_norm", Type::number, nullptr, "..."}.above(0).or_null()
  Field& range(double least, double most) { return min = least, max = most, *this; }
  Field& between(double below, double above) { return open = true, range(below, above); }
  Field& at_least(double least) { return min = least, *this; }
  Field& above(double below) { return open = true, at_least(below); }
  Field& one_of(std::vector<std::string> all) { return choices = std::move(all), *this; }
  template <size_t n>
  Field& one_of(const std::array<std::string_view, n>& all) {  // names_of<Enum>()
    return choices.assign(all.begin(), all.end()), *this;
  }
  Field& or_null() { return nullable = true, *this; }
  Field& must_be_given() { return required = true, *this; }
  Field& of_length(size_t n) { return length = n, *this; }
  Field& not_yet(std::vector<std::string> all) { return later = std::move(all), *this; }
  Field& fixed(nlohmann::json value) { return only = std::move(value), *this; }
  Field& same_as(std::map<std::string, nlohmann::json> all) { return synonyms = std::move(all), *this; }
};

// Values that the choice `name` of the field `key` puts between the defaults and the user's own.
struct Preset {
  std::string key, name;
  std::vector<std::pair<std::string, nlohmann::json>> values;
};

class Config;

struct Table {
  std::vector<Field> fields;
  std::vector<Preset> presets = {};
  std::vector<void (*)(Config&)> rules =
      {};  // across fields: throw Config::error, or complete values by set()

  const Field* find(const std::string& key) const;                   // null if absent
  bool is_section(const std::string& key) const;                     // some field lies below `key`
  std::vector<std::string> keys() const;                             // in table order
  std::vector<std::string> below(const std::string& section) const;  // next path component of each key
};
Table concatenate(const std::vector<const Table*>& tables);

// Where a value came from. The line is found by rescanning the text, only when somebody asks.
struct Origin {
  std::string name;                                   // "default", "preset you2020", "--set a=1" or a file
  std::shared_ptr<const std::string> text = nullptr;  // of a file
  std::string pointer = "";                           // JSON pointer inside the file
  std::string place() const;                          // "models/vgg16.json:12:5"
  std::string where() const;  // place() with the pointer, for Error; empty for a default
};

class Config {
 public:
  // An enumeration is read by its names, whatever else the field allows.
  template <class T>
  T get(const std::string& key) const {
    static_assert(!std::is_enum_v<T> || NamedEnum<T>, "its table of names is not included here");
    if constexpr (NamedEnum<T>)
      return named<T>(at(key).template get_ref<const std::string&>(), key, errors::bad_value);
    else
      return at(key).template get<T>();
  }
  bool is_null(const std::string& key) const { return at(key).is_null(); }
  const nlohmann::json& at(
      const std::string& key) const;                    // dotted; throws std::logic_error for an unknown key
  const nlohmann::json& json() const { return json_; }  // whole tree
  nlohmann::ordered_json ordered() const;               // whole tree in table order, for files and people
  std::string origin(const std::string& key) const;     // "default", "models/vgg16.json:12:5", "--set a=1"
  // For CLI flags and rules; checked against the field. check() then runs the rules across fields again.
  void set(const std::string& key, nlohmann::json value, const std::string& origin = "command line");
  void check();
  const Table& table() const { return *table_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // An error that points at where `key` was given.
  Error error(int code, const std::string& key, const std::string& message,
              const std::string& hint = "") const;

 private:
  friend class ConfigLoader;
  void store(const std::string& key, nlohmann::json value, Origin origin);
  nlohmann::json json_ = nlohmann::json::object();
  std::map<std::string, Origin> origins_;
  std::vector<std::string> warnings_;
  const Table* table_ = nullptr;
};

// defaults < presets < extends < files left to right < sets ("a.b=JSON"). Objects merge, everything else
// replaces. The table must outlive the result.
Config load_config(const Table& table, const std::vector<std::filesystem::path>& files,
                   const std::vector<std::string>& sets = {});
// Checks an already resolved tree (from a run directory or checkpoint); keys it lacks take their defaults.
Config config_from_json(const Table& table, const nlohmann::json& resolved, const std::string& name);

}  // namespace eb::engine
