// One rank's training run: composes config, data, model, run directory and the Early-Bird hook, then lets the
// session run.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/world/world.h"
#include "pruning/early_bird_hook.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

using Until = pruning::EarlyBirdHook::Until;

struct TrainFlags {
  CommonFlags common;
  std::string out, name, resume, until, init_from;
  std::vector<std::string> allow_change;
  int64_t max_steps = -1, replace_classifier = 0;
  int ranks = 0, gpus = 0;
  bool deterministic = false, json = false, quiet = false;
};

// The exit code: 0, or 75 for a run that stopped with a checkpoint.
int train_as(engine::World& world, const TrainFlags& flags);

}  // namespace eb::tools
