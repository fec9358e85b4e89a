// Every JSON text is read here. parse_json is for what a person or another program may have written: it bears
// nothing and says what is wrong where. try_parse_json is for files of our own that a crash may have cut off.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace eb::engine {

// Error 2001 or 2002, with line and column in `file`, for text that is not JSON, duplicate keys, more than 64
// levels, 4 MiB or 100,000 elements in one list or object. comments: // and /* */ are allowed.
nlohmann::json parse_json(const std::string& text, const std::string& file, bool comments);
// Without limits; discarded (is_discarded(), and of no type) if it is not JSON.
nlohmann::json try_parse_json(std::string_view text);

// The one way to a JSON text that may hold a name of somebody else: names are bytes, JSON is UTF-8, and every
// broken sequence becomes U+FFFD. indent as nlohmann's dump() has it: -1 for one line.
std::string dump_json(const nlohmann::json& value, int indent = -1);
std::string dump_json(const nlohmann::ordered_json& value, int indent = -1);

struct TextPosition {
  size_t line = 1, column = 1;  // column counts bytes
};

// Of the key (or the array element) that a JSON pointer names, in a text that parse_json accepted.
std::optional<TextPosition> locate(const std::string& text, const std::string& pointer);

// One more step of a JSON pointer: "/a" and "b/c" give "/a/b~1c".
std::string pointer_to(const std::string& pointer, const std::string& key);

}  // namespace eb::engine
