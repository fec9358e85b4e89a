// `eb_engine bench comm` and `bench scaling`: their flags; what they do is in tools/bench.
#include <memory>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/world/launcher.h"
#include "tools/bench/bench_comm.h"
#include "tools/bench/bench_scaling.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/experiment/run_as_ranks.h"

namespace eb::tools {

constexpr int most_ranks = 64;

static int run_bench_comm(const CommBench& f) {
  const engine::Launch launch = engine::launch_of_process();
  if (f.ranks > 0 || !launch.by_ranks())
    if (const auto code = run_as_ranks(f.ranks > 0 ? f.ranks : 2, command_line())) return *code;
  const auto world = engine::World::of_environment();
  if (world->size() < 2)
    throw Error(errors::bad_command_line, "bench comm: one rank has nobody to add up with", "--ranks 2");
  const int code = bench_comm(*world, f);
  world->finish();
  return code;
}

Command bench_comm_command() {
  const auto f = std::make_shared<CommBench>();
  return {
      .name = "comm",
      .doc = "Time the sum of gradients over ranks by size, beside MPI's own",
      .flags = {Flag{"--ranks", &f->ranks, "Processes on this host (default: 2, or the launcher's)"}.range(
                    2, most_ranks),
                Flag{"--seconds", &f->seconds, "For each size, about (default: 2)"}.range(1e-3, 600.0),
                Flag{"--max-mib", &f->max_mib, "The largest size (default: 256)"}.range(1, 1024),
                Flag{"--bucket-mib", &f->bucket_mib, "As distributed.bucket_mib (default: 16)"}.range(1,
                                                                                                      1024),
                Flag{"--json", &f->json, "One JSON object"},
                Flag{"--json-lines", &f->json_lines, "A JSON object a line, each as soon as it is known"}},
      .run = [f] { return run_bench_comm(*f); },
  };
}

Command bench_scaling_command() {
  const auto f = std::make_shared<ScalingBench>();
  return {
      .name = "scaling",
      .doc = "Time a config's training step on several numbers of ranks, beside what the sum's times predict",
      .flags = with_common_flags(
          f->common,
          {Flag{"--ranks", &f->ranks, "Numbers of processes, as 1,2,4 (default: 1,2)"}
               .range(1, most_ranks)
               .split_at_commas(),
           Flag{"--batch", &f->batch, "Images a rank in weak scaling, all in strong (default: the config's)"}
               .positive(),
           Flag{"--threads-per-rank", &f->threads, "CPU threads of each rank (default: 1)"}.positive(),
           Flag{"--steps", &f->steps, "Timed steps of each; the median counts"}.positive(),
           Flag{"--warmup", &f->warmup, "Untimed steps before"}.not_negative(),
           Flag{"--rounds", &f->rounds, "How often all are measured, in turn; medians are told"}.positive(),
           Flag{"--json", &f->json, "One JSON object"}}),
      .run = [f] { return bench_scaling(*f); },
  };
}

}  // namespace eb::tools
