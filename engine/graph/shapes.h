// What the shape rules of several ops share. Errors: 2107 out of range, 2109 a kernel that does not fit.
#pragma once
#include <string>

#include "engine/graph/op_spec.h"

namespace eb::engine {

// Throws an Error about the node.
[[noreturn]] void fail(int code, const Node& node, const std::string& what, const std::string& hint = "");
void check_range(const Node& node, const char* key, int64_t value, int64_t low, int64_t high);
std::string shape_text(const Node& node);  // (C, H, W)

// The output has the shape of the first input.
void keep_shape(Node& node, const Inputs& in);
// Sets h and w from the window over x, whose stride and padding it checks.
void slide_window(Node& node, const Node& x);

}  // namespace eb::engine
