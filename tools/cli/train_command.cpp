// `eb_engine train`: search, draw, compact and retrain, in one process or in one a rank.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "engine/base/error.h"
#include "engine/base/stop_signal.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/cli/train_run.h"
#include "tools/experiment/ranks.h"
#include "tools/experiment/run_as_ranks.h"

namespace eb::tools {

using namespace engine;

// Most errors are every rank's: the first one tells them, and its end is theirs. What it does not know it
// leaves to them.
[[noreturn]] static void leave_to_first(const Error& e, const World& world) {
  for (int i = 0; i < 60 && !stop_signal_received(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  if (!stop_signal_received())
    std::cerr << "rank " << world.rank() << " on " << world.host(world.rank()) << ": " << e.text()
              << std::endl;
  std::_Exit(e.exit_code());
}

static int train(TrainFlags& f) {
  if (f.gpus > 0) f.common.device = "cuda";
  const int ranks = std::max(f.ranks, f.gpus);
  if (ranks > 1) require_ranks_on(f.common.device, ranks);
  if (ranks > 0)
    if (const auto code = run_as_ranks(ranks, command_line())) return *code;
  if (launch_of_process().by_ranks()) watch_stop_signals();  // a launcher passes them on from the start
  const auto world = World::of_environment();
  try {
    return train_as(*world, f);
  } catch (const Error& e) {
    if (!world->leads()) leave_to_first(e, *world);
    throw;
  }
}

Command train_command() {
  const auto f = std::make_shared<TrainFlags>();
  return {
      .name = "train",
      .doc = "Search for an Early-Bird ticket, draw, compact, train it to the end",
      .flags = with_common_flags(
          f->common,
          {Flag{"--out", &f->out, "Run directory (default: runs/NAME/TIME-ID)"},
           Flag{"--name", &f->name, "Name of the run (default: the config's)"},
           Flag{"--resume", &f->resume,
                "auto, never, must or a checkpoint (default: auto if --out names a run, else never)"},
           Flag{"--init-from", &f->init_from,
                "Checkpoint, run or export whose network a new run starts from: model.init.from"},
           Flag{"--replace-classifier", &f->replace_classifier,
                "With --init-from: a new last layer of so many classes, the others keep their weights"}
               .positive(),
           Flag{"--allow-change", &f->allow_change,
                "Config key or section that may differ from the resumed run's"},
           Flag{"--until", &f->until, "Stop after this phase"}.one_of(
               names(name_of(Until::search), name_of(Until::draw), name_of(Until::compact))),
           Flag{"--max-steps", &f->max_steps,
                "Stop with a checkpoint (exit 75) when the run has done this many steps"}
               .not_negative(),
           Flag{"--ranks", &f->ranks, "Processes on this host that train together, on the CPU or a card each"}
               .positive(),
           Flag{"--gpus", &f->gpus, "The same, with --device cuda: one process a card"}.positive(),
           Flag{"--deterministic", &f->deterministic, "Same bits for any number of threads"},
           Flag{"--json", &f->json, "Print the summary as one JSON object, of a stopped run so far"},
           Flag{"-q,--quiet", &f->quiet, "No progress"}}),
      .run = [f] { return train(*f); },
  };
}

}  // namespace eb::tools
