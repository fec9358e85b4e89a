// What a drawn ticket left of every batch norm.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"

namespace eb::tools {

// The ticket of the draw; nothing before one, or with a warning in `run` if its file cannot be used.
std::optional<pruning::Ticket> drawn_ticket(RunFiles& run);
// [{"id", "kept", "total", "group", "held_up"}] in graph order.
nlohmann::json layers_json(const RunFiles& run, const std::optional<pruning::Ticket>& ticket);
// Multiply-adds of one image through the compacted network; null unless it has `params` parameters (channels
// stored as padding are in no ticket).
nlohmann::json compacted_macs(const RunFiles& run, const std::optional<pruning::Ticket>& ticket,
                              const nlohmann::json& params);

}  // namespace eb::tools
