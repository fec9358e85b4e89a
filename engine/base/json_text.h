// JSON text: the strict parser, where things stand in a JSON text, and how to quote what a user wrote.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace eb::engine {

// JSON text with the limits of the config reader (4 MiB, depth 64, arrays <= 100k, duplicate keys and NaN
// refused, // and /* */ comments allowed when `comments`). Error 2001..2002 with file:line:col.
nlohmann::json parse_json(const std::string& text, const std::string& file, bool comments);

struct TextPosition {
  size_t line = 1, column = 1;  // column counts bytes
};

// Of the key (or the array element) that a JSON pointer names, in a text that parse_json accepted.
std::optional<TextPosition> locate(const std::string& text, const std::string& pointer);

// One more step of a JSON pointer: "/a" and "b/c" give "/a/b~1c".
std::string pointer_to(const std::string& pointer, const std::string& key);

// Printable ASCII whatever was in it, cut after `limit` characters; in_quotes() puts it in double quotes.
std::string printable(const std::string& text, size_t limit = 200);
std::string in_quotes(const std::string& text);

}  // namespace eb::engine
