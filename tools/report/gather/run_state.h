// How far a run came and whether it goes on.
#pragma once
#include "tools/record/run_files.h"
#include "tools/record/run_status.h"

namespace eb::tools {

RunState state_of(const RunFiles& run);

int64_t epochs_done(const RunFiles& run);
engine::Count epochs_planned(const RunFiles& run);

}  // namespace eb::tools
