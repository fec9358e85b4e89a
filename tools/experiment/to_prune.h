// The network that `draw` and `compact` are to work on: never one that has been pruned already, unless that
// is what the user asks for.
#pragma once
#include <filesystem>

#include "tools/experiment/experiment.h"

namespace eb::tools {

inline constexpr const char* to_prune_doc =
    "Checkpoint directory, or a run directory: the dense network of its draw, before that its latest "
    "checkpoint";
inline constexpr const char* again_doc =
    "Prune a network that has been pruned: a run's latest checkpoint, or the checkpoint named";

// True if it has fewer channels than the network that its config describes.
bool is_pruned(const LoadedModel& loaded);

// Of a run that went on with its ticket RUN/dense, which it says on stderr; with `again` its latest
// checkpoint instead. Error 4035 for another network that has been pruned, without `again`.
LoadedModel load_to_prune(const std::filesystem::path& checkpoint_or_run, bool again);

}  // namespace eb::tools
