// Config keys of the search for an Early-Bird ticket.
#pragma once
#include "engine/config/config.h"

namespace eb::pruning {

const engine::Table& early_bird_fields();

}  // namespace eb::pruning
