// What the op table says, as text: the reference at the end of docs/own_network.md.
#pragma once
#include <span>
#include <string>

#include "engine/graph/op_spec.h"

namespace eb::tools {

std::string op_reference(std::span<const engine::Op> ops);

}  // namespace eb::tools
