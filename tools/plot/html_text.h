// Text that somebody else wrote (run names, layer ids, config values, paths) as HTML that shows exactly that
// text.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace eb::tools::page {

// For element content and quoted attributes. &<>"' become entities, control and bidirectional characters
// become visible signs, bytes that are no UTF-8 become U+FFFD.
std::string escape(std::string_view text);
// The same; of a text longer than `most` characters the beginning and the end, with all of it in a title
// attribute.
std::string shortened(std::string_view text, size_t most = 60);
// The beginning and the end of a long text, without markup: for labels in pictures.
std::string label(std::string_view text, size_t most = 24);
// A JSON value as one shortened line of code.
std::string json_text(const nlohmann::json& v, size_t most = 80);
// The bytes as base64.
std::string base64(const std::string& bytes);

}  // namespace eb::tools::page
