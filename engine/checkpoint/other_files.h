// Files that people take for safetensors: a failed download, another format. Told by their first bytes.
#pragma once
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace eb::engine {

// What a file is that safetensors' reader cannot begin to read: error 4013 for PyTorch's pickle, else 4002.
// `name` stands in the message as it is.
Error not_safetensors(std::string_view bytes, const std::string& name);

}  // namespace eb::engine
