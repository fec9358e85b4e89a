#include "tools/experiment/late_drops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/base/duration.h"
#include "engine/model/schedule.h"

namespace eb::tools {

using engine::Duration;
using engine::Schedule;

// A drop at the last step's end is none either.
static bool comes_too_late(const Duration& at, const Duration& end, std::optional<int64_t> steps_per_epoch) {
  if (at.unit == end.unit) return at.count >= end.count;
  return steps_per_epoch && at.in_steps(*steps_per_epoch) >= end.in_steps(*steps_per_epoch);
}

std::string late_drops(const engine::Config& config, std::optional<int64_t> steps_per_epoch) {
  if (config.get<Schedule::Kind>("train.schedule.kind") != Schedule::Kind::multistep) return "";
  const auto duration = config.get<std::string>("train.duration");
  std::vector<std::string> late;
  for (const auto& at : config.get<std::vector<std::string>>("train.schedule.at"))
    if (comes_too_late(engine::parse_duration(at), engine::parse_duration(duration), steps_per_epoch))
      late.push_back(at);
  if (late.empty()) return "";
  return fmt::format("train.schedule.at: the run ends after {}, so the learning rate never drops at {}",
                     duration, fmt::join(late, " and "));
}

}  // namespace eb::tools
