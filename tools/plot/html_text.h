// Text that somebody else wrote (run names, layer ids, config values, paths) as HTML that shows exactly that
// text.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/text.h"

namespace eb::tools::page {

using engine::escape_html;
using engine::shorten;

// Escaped; of a text longer than `most` characters the beginning and the end, with all of it in a title
// attribute.
std::string shortened(std::string_view text, size_t most = 60);
// A JSON value as one shortened line of code.
std::string json_text(const nlohmann::json& v, size_t most = 80);
// The bytes as base64.
std::string base64(const std::string& bytes);

}  // namespace eb::tools::page
