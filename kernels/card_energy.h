// The energy counter of a card.
#pragma once
#include <optional>

#include "kernels/pick.h"

namespace eb::kernels {

namespace cuda {
std::optional<double> card_joules();
}

// Joules that the card of this process has used since its driver was loaded: the whole board, with its
// memory, whoever kept it busy. Nothing where it is not counted.
inline std::optional<double> card_joules([[maybe_unused]] Device d) {
  if constexpr (built::cuda)
    if (d == Device::cuda) return cuda::card_joules();
  return std::nullopt;
}

}  // namespace eb::kernels
