// A field's checks. Messages say what was wanted and what came; the hint is what to type.
#include "engine/config/config_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/base/duration.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace eb::engine {

using nlohmann::json;
using Type = Field::Type;

namespace {

constexpr size_t max_string = 4096;
constexpr double max_integer = 9007199254740992;  // 2^53: what a JSON number can carry everywhere

struct TypeInfo {
  Type type;
  const char* name;
  Type element;  // of a list, else itself
};
constexpr TypeInfo types[] = {
    {Type::boolean, "true or false", Type::boolean},
    {Type::integer, "an integer", Type::integer},
    {Type::number, "a number", Type::number},
    {Type::string, "a string", Type::string},
    {Type::duration, "a duration", Type::duration},
    {Type::path, "a path", Type::path},
    {Type::list_of_numbers, "a list of numbers", Type::number},
    {Type::list_of_integers, "a list of integers", Type::integer},
    {Type::list_of_strings, "a list of strings", Type::string},
    {Type::list_of_durations, "a list of durations", Type::duration},
    {Type::object, "an object", Type::object},
};
const TypeInfo& info(Type type) {
  return types[static_cast<size_t>(type)];
}

bool has_type(Type type, const json& v) {
  switch (type) {
    case Type::boolean:
      return v.is_boolean();
    case Type::integer:
      return v.is_number_integer();
    case Type::number:
      return v.is_number();
    case Type::object:
      return v.is_object();
    default:
      return v.is_string();
  }
}

std::string shown(const json& v) {
  if (v.is_string()) return quote(v.get_ref<const std::string&>());
  return printable(dump_json(v), 60);
}

Error wrong_type(const Field& f, const json& v, const Origin& origin) {
  std::string hint;
  if (f.type == Type::string && v.is_primitive() && !v.is_null())
    hint = fmt::format("put it in quotes: \"{}\"", v.dump());
  if (is_list(f.type) && !v.is_array()) hint = fmt::format("put it in brackets: [{}]", shown(v));
  if (v.is_null()) hint = "leave the key out to get its default";
  return Error(errors::wrong_type, fmt::format("{}: want {}, got {}", f.key, name_of(f.type), shown(v)), hint,
               origin.where());
}

void check_number(const Field& f, const json& v, const Origin& origin) {
  const double x = v.get<double>();
  const bool integer = info(f.type).element == Type::integer;
  bool fine = std::isfinite(x) && (!integer || std::abs(x) <= max_integer);
  if (f.min) fine &= f.open ? x > *f.min : x >= *f.min;
  if (f.max) fine &= f.open ? x < *f.max : x <= *f.max;
  if (fine) return;
  const std::string range = range_of(f).empty() ? "a smaller number" : range_of(f);
  throw Error(errors::bad_value, fmt::format("{}: {} is out of range, want {}", f.key, shown(v), range), "",
              origin.where());
}

void check_string(const Field& f, const std::string& s, const Origin& origin) {
  if (s.size() > max_string || s.find('\0') != std::string::npos)
    throw Error(errors::bad_value, fmt::format("{}: {} is no usable text", f.key, quote(s)), "",
                origin.where());
  if (std::find(f.later.begin(), f.later.end(), s) != f.later.end())
    throw Error(errors::not_supported_yet, fmt::format("{}: {} is not supported yet", f.key, quote(s)),
                fmt::format("use one of: {}", fmt::join(f.choices, ", ")), origin.where());
  if (f.choices.empty() || std::find(f.choices.begin(), f.choices.end(), s) != f.choices.end()) return;
  const std::string near = did_you_mean(s, f.choices);
  throw Error(errors::bad_value, fmt::format("{}: {} is not a choice, want {}", f.key, quote(s), range_of(f)),
              near.empty() ? "" : fmt::format("did you mean \"{}\"?", near), origin.where());
}

void check_duration(const Field& f, const std::string& s, const Origin& origin) {
  try {
    parse_duration(s);
  } catch (const Error& e) {
    throw Error(e.code(), f.key + ": " + e.message(), e.hint(), origin.where());
  }
}

// ${EB_DATA}, ${HOME} and ${TMPDIR} only: a config from elsewhere must not read the rest of the environment.
std::string expand(const Field& f, const std::string& path, const Origin& origin) {
  static const std::vector<std::string> allowed = {"EB_DATA", "HOME", "TMPDIR"};
  std::string out;
  for (size_t i = 0; i < path.size();) {
    const size_t close = path.compare(i, 2, "${") == 0 ? path.find('}', i) : std::string::npos;
    if (close == std::string::npos) {
      out += path[i++];
      continue;
    }
    const std::string name = path.substr(i + 2, close - i - 2);
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end())
      throw Error(errors::bad_value,
                  fmt::format("{}: {} is not a variable that paths may use", f.key, quote("${" + name + "}")),
                  "only ${EB_DATA}, ${HOME} and ${TMPDIR} are replaced", origin.where());
    const char* value = std::getenv(name.c_str());
    if (!value)
      throw Error(errors::bad_value, fmt::format("{}: the environment has no {}", f.key, name),
                  fmt::format("export {}=DIRECTORY, or set {}", name, f.key), origin.where());
    out += text_of_bytes(value);
    i = close + 1;
  }
  return out;
}

json check_scalar(const Field& f, json v, const Origin& origin) {
  const Type type = info(f.type).element;
  if (!has_type(type, v)) throw wrong_type(f, v, origin);
  if (v.is_number()) check_number(f, v, origin);
  if (!v.is_string()) return v;
  const std::string s = v.get<std::string>();
  check_string(f, s, origin);
  if (type == Type::duration) check_duration(f, s, origin);
  return type == Type::path ? json(expand(f, s, origin)) : v;
}

json check_list(const Field& f, json v, const Origin& origin) {
  if (!v.is_array()) throw wrong_type(f, v, origin);
  if (f.length && v.size() != f.length)
    throw Error(errors::bad_value, fmt::format("{}: want {} elements, got {}", f.key, f.length, v.size()), "",
                origin.where());
  for (size_t i = 0; i < v.size(); ++i) {
    Origin at = origin;
    if (at.text) at.pointer = pointer_to(at.pointer, std::to_string(i));
    v[i] = check_scalar(f, v[i], at);
  }
  return v;
}

}  // namespace

bool is_list(Type type) {
  return info(type).element != type;
}
Type element_of(Type type) {
  return info(type).element;
}
std::string name_of(Type type) {
  return info(type).name;
}

std::string range_of(const Field& f) {
  if (!f.choices.empty()) return fmt::format("{}", fmt::join(f.choices, " | "));
  const char* sign = f.open ? "<" : "<=";
  if (f.min && f.max) return fmt::format("{} {} x {} {}", *f.min, sign, sign, *f.max);
  if (f.min) return fmt::format("x {} {}", f.open ? ">" : ">=", *f.min);
  if (f.max) return fmt::format("x {} {}", sign, *f.max);
  return "";
}

json check_value(const Field& f, json v, const Origin& origin) {
  if (v.is_string() && f.synonyms.count(v.get<std::string>())) v = f.synonyms.at(v.get<std::string>());
  if (v.is_null() && f.nullable) return v;
  if (f.only && !v.is_null() && v != *f.only)
    throw Error(errors::not_supported_yet, fmt::format("{}: {} is not supported yet", f.key, shown(v)),
                fmt::format("the only value yet is {}", f.only->dump()), origin.where());
  return is_list(f.type) ? check_list(f, std::move(v), origin) : check_scalar(f, std::move(v), origin);
}

Error unknown_key(const Table& table, const std::string& section, const std::string& name,
                  const Origin& origin) {
  const std::string key = section.empty() ? name : section + "." + name;
  std::string near = did_you_mean(name, table.below(section));
  if (near.empty()) {  // the right key in the wrong section
    for (const Field& f : table.fields)
      if (f.key.size() > name.size() && f.key.ends_with("." + name)) near = f.key;
  }
  const std::string explain = "eb_engine config explain" + (section.empty() ? "" : " " + section);
  const std::string hint =
      near.empty() ? "see: " + explain : fmt::format("did you mean \"{}\"?   see: {}", near, explain);
  return Error(errors::unknown_key, "unknown key " + quote(key), hint, origin.where());
}

}  // namespace eb::engine
