// Ops validate, kernels trust: the one check every op uses. A failure here is a bug in the caller, because
// graphs are validated when they are read.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace eb::engine {

inline void check(bool ok, const char* op, const std::string& got, const std::string& want) {
  if (!ok) throw std::logic_error(std::string("[") + op + "] got " + got + ", want " + want);
}

// Whether `channels` is a list that select understands: not empty, ascending, each in 0..count - 1.
inline bool ascends_below(const std::vector<int32_t>& channels, int64_t count) {
  int64_t previous = -1;
  for (int32_t i : channels) {
    if (i <= previous || i >= count) return false;
    previous = i;
  }
  return previous >= 0;
}

inline std::string describe(const Tensor& t) {
  return std::string(kernels::name_of(t.dtype())) + " " + to_string(t.shape());
}

}  // namespace eb::engine
