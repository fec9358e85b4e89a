// Why the ticket of a run was drawn when it was.
#pragma once
#include <cstdint>

#include "engine/base/enum_names.h"

namespace eb::pruning {

enum class FoundBy : uint8_t { detector, draw_at, deadline };
constexpr auto enum_names(FoundBy) {
  return engine::names("detector", "draw_at", "deadline");
}

}  // namespace eb::pruning
