// "160ep" or "2000st": how long, in epochs or optimizer steps.
#pragma once
#include <cstdint>
#include <string>

namespace eb::engine {

struct Duration {
  enum class Unit : uint8_t { epochs, steps } unit = Unit::epochs;
  int64_t count = 0;
  int64_t in_steps(int64_t steps_per_epoch) const {
    return unit == Unit::steps ? count : count * steps_per_epoch;
  }
  bool operator==(const Duration&) const = default;
};

// Error 2008 if text is not <integer>ep or <integer>st.
Duration parse_duration(const std::string& text);
std::string to_string(Duration d);

// "epoch 3" at the end of one, "step 34 (0.7 ep)" within one.
std::string moment(int64_t step, int64_t steps_per_epoch);

}  // namespace eb::engine
