// The search for a ticket as a report shows it: how far apart the masks of every two checks are, and when one
// emerged.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"

namespace eb::tools {

// Null for a run that searches for none. Warnings about missing and damaged mask files go to `run`.
nlohmann::json search_json(RunFiles& run, const std::optional<pruning::Ticket>& ticket);

// Masks of a ratio that must be on the disk: each lies there before a line or a checkpoint counts it.
size_t masks_drawn(const RunFiles& run, double ratio);

}  // namespace eb::tools
