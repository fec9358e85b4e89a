// `eb_engine bench step`: the training step of a config's network on random data, dense or compacted.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/median.h"
#include "engine/graph/accounting.h"
#include "engine/ops/conv_choice.h"
#include "engine/tensor/allocator.h"
#include "engine/train/noise.h"
#include "engine/train/trainer.h"
#include "engine/world/world.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "quant/fields.h"
#include "quant/training_ops.h"
#include "tools/bench/bench_clock.h"
#include "tools/bench/memory.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/ranks.h"
#include "tools/experiment/run_as_ranks.h"

namespace eb::tools {

using namespace engine;

struct BenchFlags {
  CommonFlags common;
  int64_t batch = 0, steps = 10, warmup = 2;
  int ranks = 0;
  double prune = 0, seconds = 0;
  bool json = false, deterministic = false, each_precision = false, cpu_time = false;
};

// What --each-precision compares. The 8-bit ones compute in the dtype that --dtype says.
struct PrecisionRow {
  const char *name, *dtype;
  std::vector<std::string> sets;
};
static const std::vector<PrecisionRow>& precision_rows() {
  static const std::vector<PrecisionRow> all = {
      {"f32", "f32", {}},
      {"bf16", "bf16", {}},
      {"swalp8 integer", nullptr, {"precision.preset=swalp8"}},
      {"swalp8 integer, one copy of weights",
       nullptr,
       {"precision.preset=swalp8", "precision.backward_weight=same"}},
      {"swalp8 exact", nullptr, {"precision.preset=swalp8", "precision.arithmetic=exact"}},
      {"reference", nullptr, {"precision.preset=reference"}},
  };
  return all;
}

static Model bench_model(const Config& config, double prune, Device device) {
  Model model(graph_of(config), compute_of(config), device);
  model.conv = conv_choice_of(config, device);
  initialize(model, init_of(config), config.get<uint64_t>("seed"));
  if (prune <= 0) return model;
  const auto ticket = pruning::close_ticket(pruning::random_ticket(model.graph(), prune, 1), model, {});
  return pruning::compact(model, ticket.ticket, pruning::MomentumRule::reset);
}

// A card works through a queue: steps are timed by the group, so that waiting for the last of them does not
// count as each one's time.
static int64_t steps_of_a_group(const BenchFlags& f, Device device) {
  return device == Device::cpu ? 1 : std::min<int64_t>(10, f.steps);
}

struct StepTimes {
  std::vector<double> step, reduce;  // seconds; reduce is known on the CPU alone
};

static StepTimes time_steps(Trainer& trainer, const Batch& batch, const BenchFlags& f, int64_t group,
                            World& world) {
  for (int64_t i = 0; i < f.warmup; ++i) trainer.advance(batch);
  trainer.totals();
  StepTimes times;
  world.barrier();
  const double begin = clock_seconds(f.cpu_time);
  for (int64_t done = 0; done < f.steps; done += group) {
    const double start = clock_seconds(f.cpu_time);
    const bool enough = f.seconds > 0 && done > 0 && start - begin > f.seconds;
    if (f.seconds > 0 && world.broadcast(enough ? "enough" : "") == "enough") break;
    for (int64_t i = 0; i < group; ++i) trainer.advance(batch);
    trainer.totals();
    times.step.push_back((clock_seconds(f.cpu_time) - start) / static_cast<double>(group));
    if (const auto last = trainer.step_seconds()) times.reduce.push_back(last->reduce);
  }
  return times;
}

static nlohmann::json measure_step(const BenchFlags& f, World& world) {
  Config config = load_experiment(f.common);
  if (f.batch) config.set("train.batch_size", f.batch);
  take_shards(config, "", world);
  const DataParallel parallel = data_parallel(config, world, [](const std::string&) {});
  const Device device = set_up_device(f.common.device, f.common.threads);
  check_clock(f.cpu_time, device, f.common.threads);
  if (f.cpu_time && world.size() > 1)
    throw Error(errors::bad_command_line, "--cpu-time: a rank that waits for others takes none",
                "leave it out, or --ranks");
  const Precision precision = quant::phase_precision(config).in(Phase::search);
  set_up_memory(config, device);
  TrainConfig train = train_config(config);
  train.deterministic = f.deterministic;
  const int64_t n = train.batch_size;
  Trainer trainer(bench_model(config, f.prune, device), train, 1 << 20, parallel);
  trainer.set_precision(precision);
  Batch batch = noise_batch(trainer.model().graph(), parallel.samples_here(n).size(), train.compute, 0.5f);
  batch.total = n;
  batch.images = batch.images.to(device), batch.labels = batch.labels.to(device);
  const int64_t group = steps_of_a_group(f, device);
  const StepTimes times = time_steps(trainer, batch, f, group, world);
  const std::vector<double>& seconds = times.step;
  const quant::TrainingOps ops = quant::training_ops(trainer.model().graph(), precision, device);
  const GraphCost cost = graph_cost(trainer.model().graph());
  const double step = median(seconds);
  nlohmann::json result = {{"images_per_s", n / step},
                           {"step_ms", step * 1e3},
                           {"step_ms_min", *std::min_element(seconds.begin(), seconds.end()) * 1e3},
                           {"batch", n},
                           {"ranks", world.size()},
                           {"shards", parallel.shards},
                           {"dtype", kernels::name_of(train.compute)},
                           {"device", f.common.device},
                           {"conv", config.get<std::string>("cuda.conv")},
                           {"params", cost.params},
                           {"flops_per_image", cost.flops},
                           {"training_fp_ops_per_image", ops.fp},
                           {"training_int8_ops_per_image", ops.int8},
                           {"activation_mib", static_cast<double>(trainer.activation_bytes()) / (1 << 20)},
                           {"clock", f.cpu_time ? "cpu" : "wall"},
                           {"prune", f.prune},
                           {"steps", group * static_cast<int64_t>(seconds.size())},
                           {"deterministic", f.deterministic},
                           {"peak_rss_mib", peak_rss_mib()}};
  if (!times.reduce.empty()) result["reduce_ms"] = median(times.reduce) * 1e3;
  if (const auto choices = trainer.model().conv->to_json(); !choices.empty())
    result["conv_choices"] = choices;
  if (device != Device::cpu)
    result["peak_device_mib"] = static_cast<double>(allocator_stats(device).peak) / (1 << 20);
  return result;
}

static int bench_step(const BenchFlags& f) {
  if (f.ranks > 0)
    if (const auto code = run_as_ranks(f.ranks, command_line())) return *code;
  const auto world = World::of_environment();
  const nlohmann::json r = measure_step(f, *world);
  const bool leads = world->leads();
  world->finish();
  if (!leads) return 0;
  if (f.json)
    std::cout << dump_json(r, 2) << "\n";
  else
    std::cout << fmt::format("step {:.1f} ms, {:.0f} images/s, activations {:.0f} MiB, peak {:.0f} MiB\n",
                             r["step_ms"].get<double>(), r["images_per_s"].get<double>(),
                             r["activation_mib"].get<double>(), r["peak_rss_mib"].get<double>());
  return 0;
}

// One process for all: its peak memory is nobody's own.
static int bench_precisions(const BenchFlags& given) {
  auto rows = nlohmann::json::array();
  if (!given.json)
    std::cout << "| precision | ms per step | images/s | activations MiB | int8 share of the operations |\n"
              << "|---|---|---|---|---|\n";
  for (const PrecisionRow& row : precision_rows()) {
    BenchFlags f = given;
    if (row.dtype) f.common.dtype = row.dtype;
    f.common.sets.insert(f.common.sets.end(), row.sets.begin(), row.sets.end());
    World alone;
    nlohmann::json r = measure_step(f, alone);
    r.erase("peak_rss_mib"), r.erase("peak_device_mib");
    r["precision"] = row.name;
    const auto int8 = r["training_int8_ops_per_image"].get<double>(),
               fp = r["training_fp_ops_per_image"].get<double>();
    if (!f.json)
      std::cout << fmt::format("| {} | {:.2f} | {:.0f} | {:.1f} | {:.0f} % |", row.name,
                               r["step_ms"].get<double>(), r["images_per_s"].get<double>(),
                               r["activation_mib"].get<double>(), 100 * int8 / (int8 + fp))
                << std::endl;
    rows.push_back(std::move(r));
  }
  if (given.json) std::cout << dump_json(rows, 2) << "\n";
  return 0;
}

static Command bench_step_command() {
  const auto f = std::make_shared<BenchFlags>();
  return {
      .name = "step",
      .doc = "Time the training step of a config's network on random data",
      .flags = with_common_flags(
          f->common,
          {Flag{"--batch", &f->batch, "Images per step (default: the config's)"}.positive(),
           Flag{"--steps", &f->steps, "Timed steps; the median is reported"}.positive(),
           Flag{"--seconds", &f->seconds,
                "Of the timed steps at most, to the end of a group of ten on a device (default: no limit)"}
               .not_negative(),
           Flag{"--warmup", &f->warmup, "Untimed steps before"}.not_negative(),
           Flag{"--ranks", &f->ranks, "Processes on this host that share each step, by MPI"}.range(1, 64),
           Flag{"--prune", &f->prune, "First compact a random-gamma ticket of this ratio"}.range(0.0, 0.99),
           Flag{"--deterministic", &f->deterministic, "Same bits for any number of threads"},
           Flag{"--json", &f->json, "One JSON object"},
           Flag{"--cpu-time", &f->cpu_time, "CPU seconds, with --threads 1 on a machine that others use too"},
           Flag{"--each-precision", &f->each_precision, "One row each: f32, bf16, and the 8-bit presets"}}),
      .run = [f] { return f->each_precision ? bench_precisions(*f) : bench_step(*f); },
  };
}

Command bench_command() {
  return {
      .name = "bench",
      .doc = "Measure; never claims a number it did not time",
      .commands = {bench_kernels_command(), bench_step_command(), bench_policy_command(),
                   bench_comm_command(), bench_scaling_command()},
  };
}

}  // namespace eb::tools
