// Any bytes as a safetensors file: only eb::Error may leave, and what is accepted must say the same after
// writing and reading it again.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "engine/base/error.h"
#include "engine/checkpoint/safetensors.h"

using namespace eb::engine;

static bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const SafetensorsFile file = parse_safetensors(data, size, "input");
    const std::string written = to_safetensors(file);
    const SafetensorsFile again = parse_safetensors(written.data(), written.size(), "written");
    if (again.metadata != file.metadata || again.tensors.size() != file.tensors.size()) std::abort();
    for (const auto& [name, tensor] : file.tensors)
      if (!same(tensor, again.tensors.at(name))) std::abort();
  } catch (const eb::Error&) {
  }
  return 0;
}
