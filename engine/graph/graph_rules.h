// What graph.cpp and graph_json.cpp share: limits that keep every later product inside 64 bits, and names.
#pragma once
#include <string>

#include "engine/graph/graph.h"

namespace eb::engine {

constexpr size_t max_nodes = 100'000;
constexpr int64_t max_axis = 65'536;            // height, width, channels, kernel, stride
constexpr double max_tensor = 2147483647;       // elements of one activation (per image) or one weight
constexpr double max_parameters = 17179869184;  // of the whole graph: 2^34
constexpr double max_work =
    1125899906842624;  // multiply-adds per image: 2^50, so FLOPs are exact in a double

// Error 2104 unless 1..200 characters of A-Z a-z 0-9 _ . / -
void check_id(const std::string& id);

}  // namespace eb::engine
