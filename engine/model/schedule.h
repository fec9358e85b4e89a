// The learning rate as a pure function of the step, so that a run resumed past a milestone is right
// (docs/method.md 4.2).
#pragma once
#include <vector>

#include "engine/base/duration.h"
#include "engine/base/enum_names.h"

namespace eb::engine {

struct Schedule {
  enum class Kind : uint8_t { multistep, cosine, constant } kind = Kind::constant;
  std::vector<Duration> at;  // multistep: when the rate is multiplied by gamma
  float gamma = 0.1f;
  Duration warmup;  // linear from 0, in front of every kind
  // Factor on the base rate at `step` (0-based) of `total_steps`.
  float factor(int64_t step, int64_t steps_per_epoch, int64_t total_steps) const;
};
constexpr auto enum_names(Schedule::Kind) {
  return names("multistep", "cosine", "constant");
}

}  // namespace eb::engine
