// JSON for files that a person will edit: what fits on a line stands on one, and so do lists of numbers and
// words.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace eb::engine {

std::string dump_json_lines(const nlohmann::ordered_json& value, size_t width = 110);

}  // namespace eb::engine
