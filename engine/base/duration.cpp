#include "engine/base/duration.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::engine {

constexpr int64_t max_count = 1'000'000'000'000;  // times a step count must stay far from 2^63

Duration parse_duration(const std::string& text) {
  Duration d;
  const char* end = text.data() + text.size();
  const auto [unit, fault] = std::from_chars(text.data(), end, d.count);
  const std::string name(unit, end);
  d.unit = name == "st" ? Duration::Unit::steps : Duration::Unit::epochs;
  if (fault != std::errc() || (name != "ep" && name != "st") || d.count < 0 || text[0] == '-' ||
      d.count > max_count)
    throw Error(errors::not_a_duration, "not a duration: " + quote(text),
                "write epochs as \"160ep\" or optimizer steps as \"2000st\"");
  return d;
}

std::string to_string(Duration d) {
  return std::to_string(d.count) + (d.unit == Duration::Unit::epochs ? "ep" : "st");
}

std::string moment(int64_t step, int64_t steps_per_epoch) {
  if (step % steps_per_epoch == 0) return fmt::format("epoch {}", step / steps_per_epoch);
  return fmt::format("step {} ({:.2g} ep)", step,
                     static_cast<double>(step) / static_cast<double>(steps_per_epoch));
}

}  // namespace eb::engine
