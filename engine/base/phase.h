// The stretches of a run that train one network each: a dense run is all of one; otherwise the search for a
// ticket, then its retraining.
#pragma once
#include <cstdint>

#include "engine/base/enum_names.h"

namespace eb::engine {

enum class Phase : uint8_t { dense, search, retrain };
constexpr auto enum_names(Phase) {
  return names("dense", "search", "retrain");
}

}  // namespace eb::engine
