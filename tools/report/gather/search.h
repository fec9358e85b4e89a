// The search for a ticket as a report shows it: how far apart the masks of every two checks are, and when one
// emerged.
#pragma once
#include <optional>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"
#include "tools/report/gather/report.h"

namespace eb::tools {

// None for a run that searches for none. Warnings about missing and damaged mask files go to `run`.
std::optional<SearchReport> search_of(RunFiles& run, const std::optional<pruning::Ticket>& ticket);

// Masks of a ratio that must be on the disk: each lies there before a line or a checkpoint counts it.
size_t masks_drawn(const RunFiles& run, double ratio);

}  // namespace eb::tools
