// The parts of a run's report that are numbers: phases, and one row for each network.
#pragma once
#include <optional>
#include <vector>

#include "pruning/ticket.h"
#include "tools/record/run_files.h"
#include "tools/report/gather/report.h"

namespace eb::tools {

std::vector<PhaseReport> phase_reports(const RunFiles& run);
// `phases` as phase_reports() made them. Dense first, then the ticket that was retrained, then averaged
// weights.
std::vector<NetworkReport> networks_of(const RunFiles& run, const std::vector<PhaseReport>& phases,
                                       const std::optional<pruning::Ticket>& ticket, bool finished);

}  // namespace eb::tools
