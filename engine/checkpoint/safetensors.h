// Our own strict safetensors reader and writer: never pickle. The reader trusts nothing (header length
// checked before allocation, tiling checked exactly, names restricted); its errors are 4001..4009 with the
// file name.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "engine/tensor/tensor.h"

namespace eb::engine {

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;  // F32, BF16, U8, I32, I64, F64 only
  std::map<std::string, std::string> metadata;
};

SafetensorsFile parse_safetensors(const void* data, size_t size, const std::string& name);
SafetensorsFile read_safetensors(const std::filesystem::path& path);
// The bytes of a file: widest element first, then by name (so that every tensor is aligned for readers that
// map the file), header padded with spaces to 8 bytes. The same tensors always give the same bytes.
std::string to_safetensors(const SafetensorsFile& file);

}  // namespace eb::engine
