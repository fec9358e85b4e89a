// Ops validate, kernels trust: the one check every op uses. A failure here is a bug in the caller, because
// graphs are validated when they are read.
#pragma once
#include <stdexcept>
#include <string>

#include "engine/tensor.h"

namespace eb::engine {

inline void check(bool ok, const char* op, const std::string& got, const std::string& want) {
  if (!ok) throw std::logic_error(std::string("[") + op + "] got " + got + ", want " + want);
}

inline std::string describe(const Tensor& t) {
  return std::string(kernels::name_of(t.dtype())) + " " + to_string(t.shape());
}

}  // namespace eb::engine
