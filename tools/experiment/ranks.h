// A training run of several ranks: who they are, what the first one tells the others, and into how many
// shards their batches are cut.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "engine/config/config.h"
#include "engine/run/run_dir.h"
#include "engine/run/session.h"
#include "engine/train/data_parallel.h"

namespace eb::tools {

// Error 9001 on every rank, which names the keys, if their configs differ in what is not a host's own affair.
void require_same_configs(const engine::Config& config, engine::World& world);

// distributed.shards, where the config leaves it open: that of the run that `out` (perhaps none) goes on
// with, else ranks * train.accumulate.
void take_shards(engine::Config& config, const std::filesystem::path& out, engine::World& world);

// Error 9006 unless so many ranks can share the shards of `config`; `tell` hears who computes what.
engine::DataParallel data_parallel(const engine::Config& config, engine::World& world,
                                   const std::function<void(const std::string&)>& tell);

// Error 9011 for several ranks on cards: what moves bytes between those is not built yet.
void require_ranks_on(const std::string& device, int ranks);

// The first rank's run directory; one of its own for each other, with a copy of the checkpoint that `resume`
// (as train --resume) means to the first. Where several ranks are, `resume` then names that checkpoint.
engine::RunDir open_run_of_rank(const std::string& out, const engine::Config& config, std::string& resume,
                                engine::World& world, engine::SessionObserver& observer);

}  // namespace eb::tools
