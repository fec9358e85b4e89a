// Reading JSON that may lack anything: a missing key, null or another type is "nothing", never an error.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace eb::engine {

using Number = std::optional<double>;  // empty: not measured
using Count = std::optional<int64_t>;
using Words = std::optional<std::string>;

namespace lenient {

// The value of `key`, or null.
const nlohmann::json& value(const nlohmann::json& object, const char* key);
// Finite numbers only.
Number number(const nlohmann::json& v);
Number number(const nlohmann::json& object, const char* key);
// Whole numbers, however they are written.
Count integer(const nlohmann::json& v);
Count integer(const nlohmann::json& object, const char* key);
// The array of `key`, or an empty one.
const nlohmann::json& list(const nlohmann::json& object, const char* key);
// The string of `key` as it was written, so to be escaped; "" (words: none) where there is none.
std::string text(const nlohmann::json& object, const char* key);
Words words(const nlohmann::json& object, const char* key);
bool flag(const nlohmann::json& object, const char* key);

}  // namespace lenient

// Null where there is none. For callers that have json.hpp: this header is in many that have no other use of
// it.
template <class T, class Json = nlohmann::json>
Json or_null(const std::optional<T>& v) {
  return v ? Json(*v) : Json();
}

}  // namespace eb::engine
