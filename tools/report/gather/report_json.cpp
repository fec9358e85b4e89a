#include "tools/report/gather/report_fields.h"

namespace eb::tools {

using nlohmann::json;
using namespace engine;

namespace {

template <class T>
concept Fielded = requires(T& t) {
  fields(t, [](const char*, auto&) {});
};

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_list : std::false_type {};
template <class T>
struct is_list<std::vector<T>> : std::true_type {};

// --- writing ---

template <class T>
json written(const T& v) {
  if constexpr (Fielded<const T>) {
    json object = json::object();
    fields(v, [&](const char* key, const auto& member) { object[key] = written(member); });
    return object;
  } else if constexpr (is_optional<T>()) {
    return v ? written(*v) : json();
  } else if constexpr (is_list<T>()) {
    json list = json::array();
    for (const auto& item : v) list.push_back(written(item));
    return list;
  } else if constexpr (std::is_same_v<T, EpochNumber>) {
    return to_json(v);
  } else {
    return json(v);
  }
}

// --- reading: true if there was one ---

bool read(const json& j, json& v) {
  v = j;
  return true;
}
bool read(const json& j, std::string& v) {
  if (!j.is_string()) return false;
  v = j.get<std::string>();
  return true;
}
bool read(const json& j, bool& v) {
  if (!j.is_boolean()) return false;
  v = j.get<bool>();
  return true;
}
bool read(const json& j, double& v) {
  const Number n = lenient::number(j);
  v = n.value_or(v);
  return n.has_value();
}
bool read(const json& j, int64_t& v) {
  const Count n = lenient::integer(j);
  v = n.value_or(v);
  return n.has_value();
}
bool read(const json& j, EpochNumber& v) {
  return read(j, v.value);
}
template <NamedEnum E>
bool read(const json& j, E& v) {
  const auto known = j.is_string() ? value_of<E>(j.get_ref<const std::string&>()) : std::nullopt;
  v = known.value_or(v);
  return known.has_value();
}
template <Fielded T>
bool read(const json& j, T& v);
template <class T>
bool read(const json& j, std::vector<T>& v);

// In a list it keeps the place of what is not there.
template <class T>
bool read(const json& j, std::optional<T>& v) {
  if (!read(j, v.emplace())) v.reset();
  return true;
}
template <class T>
bool read(const json& j, std::vector<T>& v) {
  if (!j.is_array()) return false;
  for (const json& item : j)
    if (!read(item, v.emplace_back())) v.pop_back();
  return true;
}
template <Fielded T>
bool read(const json& j, T& v) {
  if (!j.is_object()) return false;
  fields(v, [&](const char* key, auto& member) { read(lenient::value(j, key), member); });
  return true;
}

}  // namespace

json to_json(EpochNumber epoch) {
  const auto whole = static_cast<int64_t>(epoch.value);
  return epoch.value == static_cast<double>(whole) ? json(whole) : json(epoch.value);
}

json to_json(const Report& report) {
  return written(report);
}

Report report_from_json(const json& j) {
  Report report;
  read(j, report);
  return report;
}

}  // namespace eb::tools
