// Reading a report.json that may lack anything: a missing key, null or another type is "nothing", never an
// error.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace eb::tools::page {

using Number = std::optional<double>;  // empty: not measured

// The value of `key`, or null.
const nlohmann::json& value(const nlohmann::json& object, const char* key);
// Finite numbers only.
Number number(const nlohmann::json& v);
Number number(const nlohmann::json& object, const char* key);
// The array of `key`, or an empty one.
const nlohmann::json& list(const nlohmann::json& object, const char* key);
// The string of `key` as it was written, so to be escaped; "" where there is none.
std::string text(const nlohmann::json& object, const char* key);
bool flag(const nlohmann::json& object, const char* key);
// part / whole, where both are known and the whole is not 0.
Number share(Number part, Number whole);

}  // namespace eb::tools::page
