// The JSON in front of a safetensors file, checked event by event while it is parsed, so that a hostile
// header is refused at its first fault and never becomes a tree in memory.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/dtype.h"

namespace eb::engine::safetensors {

constexpr uint64_t max_header = 100'000'000;  // bytes, as in the format's own reader
constexpr size_t max_tensors = 1'000'000, max_metadata = 1'000'000, max_name = 1024, max_rank = 16;

struct HeaderEntry {
  kernels::DType dtype = kernels::DType::f32;
  std::vector<uint64_t> shape;  // each < 2^63
  uint64_t begin = 0, end = 0;  // in the data part; not yet checked against it
};

struct Header {
  std::map<std::string, HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
};

// Errors 4003 (not JSON), 4004 (not a safetensors header), 4005 (name), 4006 (dtype), 4009 (metadata); `file`
// is the quoted name for messages.
Header parse_header(std::string_view text, const std::string& file);

// Widest element first.
const std::vector<std::pair<std::string, kernels::DType>>& dtype_names();
// [A-Za-z0-9_./-]+, at most max_name, not the reserved "__metadata__".
bool name_is_allowed(const std::string& name);

}  // namespace eb::engine::safetensors
