// What a drawn ticket left of every batch norm.
#pragma once
#include <optional>
#include <vector>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"
#include "tools/report/gather/report.h"

namespace eb::tools {

// The ticket of the draw; nothing before one, or with a warning in `run` if its file cannot be used.
std::optional<pruning::Ticket> drawn_ticket(RunFiles& run);
// In graph order.
std::vector<LayerReport> layers_of(const RunFiles& run, const std::optional<pruning::Ticket>& ticket);
// Multiply-adds of one image through the compacted network; none unless it has `params` parameters (channels
// stored as padding are in no ticket).
Count compacted_macs(const RunFiles& run, const std::optional<pruning::Ticket>& ticket, Count params);

}  // namespace eb::tools
