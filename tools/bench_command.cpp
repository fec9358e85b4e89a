// `eb_engine bench step`: the training step of a config's network on random data, dense or compacted.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/accounting.h"
#include "engine/allocator.h"
#include "engine/conv_choice.h"
#include "engine/error.h"
#include "engine/trainer.h"
#include "kernels/elementwise.h"
#include "kernels/philox.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "tools/commands.h"
#include "tools/experiment.h"
#include "tools/memory.h"

namespace eb::tools {

using namespace engine;

struct BenchFlags {
  CommonFlags common;
  int64_t batch = 0, steps = 10, warmup = 2;
  double prune = 0;
  bool json = false, deterministic = false, forward_only = false;
};

static Batch random_batch(const Graph& graph, int64_t n, DType dtype) {
  const Node& in = graph.nodes[0];
  Tensor x = Tensor::empty({n, in.h, in.w, in.c}, DType::f32);
  for (int64_t i = 0; i < x.size(); ++i)
    x.data<float>()[i] = kernels::uniform(kernels::philox(1, kernels::Stream::synthetic, 0, i)[0]) - 0.5f;
  Batch batch{x, Tensor::empty({n}, DType::i32), std::vector<int64_t>(n)};
  const int64_t classes = graph.nodes[graph.output].c;
  for (int64_t i = 0; i < n; ++i) batch.labels.data<int32_t>()[i] = static_cast<int32_t>(i % classes);
  if (dtype != DType::f32) {
    batch.images = Tensor::empty(x.shape(), dtype);
    kernels::elementwise(x.device()).cast(x.size(), DType::f32, x.raw(), dtype, batch.images.raw());
  }
  return batch;
}

static Model bench_model(const Config& config, double prune, Device device) {
  Model model(graph_of(config), compute_of(config), device);
  initialize(model, init_of(config), config.get<uint64_t>("seed"));
  if (prune <= 0) return model;
  const auto ticket = pruning::close_ticket(pruning::random_ticket(model.graph(), prune, 1), model, {});
  return pruning::compact(model, ticket.ticket, pruning::MomentumRule::reset);
}

static double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

// A card works through a queue: steps are timed by the group, so that waiting for the last of them does not
// count as each one's time.
static std::vector<double> time_steps(Trainer& trainer, const Batch& batch, const BenchFlags& f,
                                      Device device) {
  const int64_t group = device == Device::cpu ? 1 : std::min<int64_t>(10, f.steps);
  for (int64_t i = 0; i < f.warmup; ++i) trainer.advance(batch);
  trainer.totals();
  std::vector<double> seconds;
  for (int64_t done = 0; done < f.steps; done += group) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < group; ++i) trainer.advance(batch);
    trainer.totals();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds.push_back(taken.count() / static_cast<double>(group));
  }
  return seconds;
}

static int bench_step(const BenchFlags& f) {
  const Config config = load_experiment(f.common);
  const Device device = set_up_device(f.common.device, f.common.threads);
  set_up_card(config, device);
  TrainConfig train = train_config(config);
  train.deterministic = f.deterministic;
  const int64_t n = f.batch ? f.batch : train.batch_size;
  Trainer trainer(bench_model(config, f.prune, device), train, 1 << 20);
  Batch batch = random_batch(trainer.model().graph(), n, train.compute);
  batch.images = batch.images.to(device), batch.labels = batch.labels.to(device);
  const std::vector<double> seconds = time_steps(trainer, batch, f, device);
  const GraphCost cost = graph_cost(trainer.model().graph());
  const double step = median(seconds);
  nlohmann::json result = {{"images_per_s", n / step},
                           {"step_ms", step * 1e3},
                           {"step_ms_min", *std::min_element(seconds.begin(), seconds.end()) * 1e3},
                           {"batch", n},
                           {"dtype", kernels::name_of(train.compute)},
                           {"device", f.common.device},
                           {"conv", config.get<std::string>("cuda.conv")},
                           {"params", cost.params},
                           {"flops_per_image", cost.flops},
                           {"prune", f.prune},
                           {"steps", f.steps},
                           {"deterministic", f.deterministic},
                           {"peak_rss_mib", peak_rss_mib()}};
  if (const auto choices = conv_choice().to_json(); !choices.empty()) result["conv_choices"] = choices;
  if (device != Device::cpu)
    result["peak_device_mib"] = static_cast<double>(allocator_stats(device).peak) / (1 << 20);
  if (f.json) {
    std::cout << result.dump(2) << "\n";
  } else {
    std::cout << "step " << step * 1e3 << " ms, " << n / step << " images/s, peak " << peak_rss_mib()
              << " MiB\n";
  }
  return 0;
}

void add_bench_command(CLI::App& app, std::function<int()>& run) {
  auto* bench = app.add_subcommand("bench", "Measure; never claims a number it did not time");
  bench->require_subcommand(1);
  add_bench_kernels(*bench, run);
  auto* sub = bench->add_subcommand("step", "Time the training step of a config's network on random data");
  static BenchFlags f;
  add_common_flags(*sub, f.common);
  sub->add_option("--batch", f.batch, "Images per step (default: the config's)")->check(CLI::PositiveNumber);
  sub->add_option("--steps", f.steps, "Timed steps; the median is reported")->check(CLI::PositiveNumber);
  sub->add_option("--warmup", f.warmup, "Untimed steps before")->check(CLI::NonNegativeNumber);
  sub->add_option("--prune", f.prune, "First compact a random-gamma ticket of this ratio")
      ->check(CLI::Range(0.0, 0.99));
  sub->add_flag("--deterministic", f.deterministic, "Same bits for any number of threads");
  sub->add_flag("--json", f.json, "One JSON object");
  sub->callback([&run] { run = [] { return bench_step(f); }; });
}

}  // namespace eb::tools
