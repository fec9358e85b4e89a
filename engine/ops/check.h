// Ops validate, kernels trust: the one check every op uses. A failure here is a bug in the caller, because
// graphs are validated when they are read.
#pragma once
#include <concepts>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace eb::engine {

// Whether `channels` is a list that select understands: not empty, ascending, each in 0..count - 1.
inline bool ascends_below(const Tensor& list, int64_t count) {
  if (!list.defined() || list.device() != Device::cpu) return true;
  const auto* channels = list.data<int32_t>();
  for (int64_t i = 0; i < list.size(); ++i)
    if (channels[i] < 0 || channels[i] >= count || (i > 0 && channels[i] <= channels[i - 1])) return false;
  return list.size() > 0;
}

inline std::string describe(const Tensor& t) {
  return std::string(kernels::name_of(t.dtype())) + " " + to_string(t.shape());
}
inline std::string describe(const char* text) {
  return text;
}
template <std::invocable F>
std::string describe(const F& text) {
  return text();
}

// got, want: a tensor, a text, or a function that writes one, called only where the check fails.
template <class Got, class Want>
void check(bool ok, const char* op, const Got& got, const Want& want) {
  if (!ok)
    throw std::logic_error(std::string("[") + op + "] got " + describe(got) + ", want " + describe(want));
}

}  // namespace eb::engine
