// The flags of every command that reads an experiment.
#pragma once
#include <vector>

#include "tools/cli/command.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

inline constexpr const char* checkpoint_doc =
    "Checkpoint directory, or a run directory (its latest checkpoint)";

// They fill `f`; `own` are the command's own, which --help shows after them.
std::vector<Flag> with_common_flags(CommonFlags& f, std::vector<Flag> own);

}  // namespace eb::tools
