// The parts of a run's report that are numbers: phases, epochs, and one row for each network.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"

namespace eb::tools {

nlohmann::json epochs_json(const RunFiles& run);
nlohmann::json phases_json(const RunFiles& run);
// `phases` as phases_json() made them. Dense first, then the ticket that was retrained, then averaged
// weights.
nlohmann::json networks_json(const RunFiles& run, const nlohmann::json& phases,
                             const std::optional<pruning::Ticket>& ticket, bool finished);

}  // namespace eb::tools
