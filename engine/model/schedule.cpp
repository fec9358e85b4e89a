#include "engine/model/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace eb::engine {

float Schedule::factor(int64_t step, int64_t steps_per_epoch, int64_t total_steps) const {
  const int64_t rise = warmup.in_steps(steps_per_epoch);
  if (step < rise) return static_cast<float>(step + 1) / static_cast<float>(rise);
  if (kind == Kind::cosine) {
    const double progress =
        static_cast<double>(step - rise) / static_cast<double>(std::max<int64_t>(1, total_steps - rise));
    return static_cast<float>(0.5 * (1 + std::cos(std::numbers::pi * std::min(progress, 1.0))));
  }
  float f = 1.f;
  if (kind == Kind::multistep)
    for (const Duration& d : at)
      if (step >= d.in_steps(steps_per_epoch)) f *= gamma;
  return f;
}

}  // namespace eb::engine
