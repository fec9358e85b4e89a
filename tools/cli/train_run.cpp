#include "tools/cli/train_run.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/each_sample.h"
#include "data/loader.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/stop_signal.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "engine/run/session.h"
#include "kernels/sync_launches.h"
#include "pruning/early_bird_hook.h"
#include "quant/block_metrics.h"
#include "quant/fields.h"
#include "quant/swa/weight_average.h"
#include "tools/cli/common_flags.h"
#include "tools/cli/device_error.h"
#include "tools/cli/observers.h"
#include "tools/experiment/data_list.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/init_from.h"
#include "tools/experiment/late_drops.h"
#include "tools/experiment/ranks.h"
#include "tools/experiment/resume.h"
#include "tools/experiment/run_as_ranks.h"
#include "tools/experiment/version.h"
#include "tools/report/gather/gather.h"
#include "tools/report/page/write.h"
#include "tools/tensorboard/tensorboard.h"
#include "tools/watch/progress.h"
#include "tools/watch/summary_table.h"

namespace eb::tools {

using namespace engine;

static Until until(const std::string& text) {
  return text.empty() ? Until::end : named<Until>(text, "--until", errors::bad_value);
}

// What a page of numbers lacks is no reason for a run to fail.
static void write_page(const Config& config, const RunDir& run) {
  if (config.get<LogReport>("log.report") == LogReport::off) return;
  try {
    const std::filesystem::path page = run.path() / file_names::report;
    make_directories(page.parent_path());
    write_report(gather_report({run.path()}), page);
    std::cerr << "report: " << shell_word(page) << "\n";
  } catch (const std::exception& e) {
    std::cerr << "warning: the report could not be written: " << e.what() << "\n";
  }
}

static int finish(const TrainFlags& f, const Config& config, RunDir& run, SessionEnd end) {
  if (end == SessionEnd::stopped) {
    if (f.json) std::cout << dump_json(run.read_json(file_names::status)["summary"], 2) << "\n";
    run.write_exit(75);
    write_page(config, run);
    std::cerr << "stopped with a checkpoint in " << printable_path(run.path())
              << "; the same command with --out " << shell_word(run.path()) << " goes on\n";
    return 75;
  }
  const nlohmann::json summary = run.read_json(file_names::summary);
  if (f.json)
    std::cout << dump_json(summary, 2) << "\n";
  else
    std::cout << summary_table(summary_from_json(summary));
  std::cerr << "run directory: " << shell_word(run.path()) << "\n";
  run.write_exit(0);
  write_page(config, run);
  return 0;
}

// Empty for a run that starts from random ones.
static std::function<void(Model&)> first_weights_of(const Config& config) {
  if (config.is_null("model.init.from")) return {};
  return [config](Model& model) { load_first_weights(model, config); };
}

// Whoever looks at the directory later must see why nothing follows.
static void leave_exit(RunDir& run, const Error& e) {
  try {
    run.write_exit(e.exit_code(), e.what());
  } catch (const Error&) {  // the first error is the one to tell
  }
}

// What a run is refused for before its first step (another config, nothing to resume) is nothing that became
// of a run that is there already: its status stays.
static bool is_refusal(const Error& e, bool there, bool began) {
  return there && !began && e.code() != errors::out_of_device_memory;
}

// Does body(began), which sets `began` when the session is about to run.
template <class F>
static int leaving_exit(RunDir& run, const F& body) {
  std::error_code ignored;
  const bool there = std::filesystem::exists(run.path() / file_names::status, ignored);
  bool began = false;
  try {
    return body(began);
  } catch (const Error& e) {
    if (!is_refusal(e, there, began)) leave_exit(run, e);
    throw;
  } catch (const kernels::DeviceError& e) {
    leave_exit(run, error_of(e));
    throw;
  } catch (const std::bad_alloc& e) {
    leave_exit(run, error_of(e));
    throw;
  }
}

static void finish(tensorboard::TensorBoard& board) {
  if (const int64_t dropped = board.finish())
    std::cerr << "TensorBoard: " << dropped << " events were not written\n";
}

static Config experiment_of(const TrainFlags& f) {
  CommonFlags common = f.common;
  if (f.replace_classifier)
    for (const std::string& set : {fmt::format("model.num_classes={}", f.replace_classifier),
                                   std::string("model.init.replace_classifier=true")})
      common.sets.push_back(set);
  Config config = load_experiment(common);
  if (!f.name.empty()) config.set("name", f.name);
  if (!f.init_from.empty()) config.set("model.init.from", f.init_from);
  for (const std::string& warning : config.warnings()) std::cerr << "warning: " << warning << "\n";
  return config;
}

static TrainConfig train_config_of(const TrainFlags& f, const Config& config) {
  TrainConfig train = train_config(config);
  train.deterministic = f.deterministic;
  train.precision = quant::phase_precision(config);
  if (f.max_steps >= 0) train.max_steps = f.max_steps;
  return train;
}

static void begin_run(const RunDir& run, const Config& config, bool several, SessionObserver& observer) {
  if (!run.warning().empty()) observer.on_message("warning: " + run.warning());
  run.describe(command_line(), config.ordered(), version_info());
  if (!several) watch_stop_signals();
}

static Model new_model(const Graph& graph, const Config& config, const TrainConfig& train,
                       std::shared_ptr<ConvChoice> conv, Device device) {
  Model model(graph, train.compute, device);
  model.conv = std::move(conv);
  initialize(model, init_of(config), train.seed);
  return model;
}

// What a run is made of, before it has a session.
struct Parts {
  const TrainFlags& flags;
  World& world;
  Device device;
  Config config;
  TrainConfig train;
  DataParallel parallel;
  std::shared_ptr<ConvChoice> conv;
  Graph graph;
  data::Loaders loaders;
};

// A run that goes on does so with the data it was started with; a new one remembers which these are.
static bool goes_on_with(Session& session, const RunDir& run, const Parts& p, const std::string& resume,
                         SessionObserver& observer) {
  try {
    const bool goes_on = resume_if_asked(session, run, resume, p.config, p.flags.allow_change, observer);
    keep_data_list(run, p.loaders);
    return goes_on;
  } catch (const Error& e) {
    throw with_difference(e, run, p.loaders);
  }
}

static int train_in(RunDir& run, bool& began, Parts& p, const std::string& resume, ProgressPrinter& printer) {
  const Config& config = p.config;
  const bool leads = p.world.leads();
  begin_run(run, config, p.world.size() > 1, printer);
  tensorboard::TensorBoard board(run.path(), printer);
  Observers observers;
  observers.add(&printer);
  observers.add(&board);
  Session session(
      new_model(p.graph, config, p.train, p.conv, p.device), p.train,
      {p.loaders.train.get(), p.loaders.holdout.get(), p.loaders.test.get(), p.loaders.fingerprint}, run,
      config.json(), observers, p.parallel);
  quant::BlockMetrics block_metrics;  // first: it reads counts that go with the model
  session.add_hook(&block_metrics);
  tensorboard::BnHistograms histograms(board);
  if (leads && config.get<bool>("log.tensorboard_histograms")) session.add_hook(&histograms);
  pruning::EarlyBirdHook early_bird(pruning::early_bird_config(config, p.device), init_of(config),
                                    p.train.seed, until(p.flags.until));
  const auto first_weights = first_weights_of(config);
  early_bird.set_first_weights(first_weights);
  if (early_bird.enabled()) session.add_hook(&early_bird);
  if (early_bird.enabled()) session.set_first_phase(Phase::search);
  quant::WeightAverage swa(quant::weight_average_config(config), config.json());
  if (swa.enabled()) session.add_hook(&swa);
  const bool goes_on = goes_on_with(session, run, p, resume, printer);
  if (!goes_on && first_weights) first_weights(session.trainer().model());
  if (leads && config.get<bool>("log.tensorboard")) board.begin(session.trainer().steps());
  began = true;
  run.write_status("setup", session.trainer().steps());
  p.world.phase("train");
  const SessionEnd end = session.run();
  printer.clear_line();
  finish(board);
  if (leads) return finish(p.flags, config, run, end);
  return end == SessionEnd::stopped ? 75 : 0;
}

// 0: all cores that this rank may use. Unless a launcher has given each rank its own, those of a host share
// them.
static int threads_of(const TrainFlags& f, const World& world) {
  const bool bound = data::available_cores() < static_cast<int>(std::thread::hardware_concurrency());
  if (f.common.threads > 0 || world.local_size() == 1 || bound) return f.common.threads;
  return std::max(1, data::available_cores() / world.local_size());
}

int train_as(World& world, const TrainFlags& f) {
  const bool quiet = f.quiet || !world.leads();
  ProgressPrinter printer(quiet ? ProgressPrinter::Style::quiet : ProgressPrinter::Style::automatic);
  const auto say = [&](const std::string& text) { printer.on_message(text); };
  Config config = experiment_of(f);
  require_same_configs(config, world);
  const std::string goes_on_in = f.resume == "never" ? "" : f.out;
  take_network(config, goes_on_in, say);
  take_shards(config, goes_on_in, world);
  world.set_timeout(config.get<double>("distributed.timeout_s"));
  const DataParallel parallel = data_parallel(config, world, say);
  require_ranks_on(f.common.device, world.size());
  const Device device = set_up_device(f.common.device, threads_of(f, world));
  if (world.local_size() > 1)
    if (const std::string narrow = warning_of_binding(data::available_cores(),
                                                      static_cast<int>(std::thread::hardware_concurrency()));
        !narrow.empty())
      printer.on_message("warning: " + narrow);
  auto conv = conv_choice_of(config, device);
  set_up_memory(config, device);
  if (device != Device::cpu && kernels::waits_for_each_launch())
    printer.on_message("EB_CUDA_SYNC=1: each kernel is waited for and no step is recorded, which is slow");
  const TrainConfig train = train_config_of(f, config);
  Graph graph = graph_of(config);
  world.phase("open data");
  auto loaders = data::make_loaders(data::data_config(config), train.batch_size, train.eval_batch_size, graph,
                                    train.compute, say, device, parallel);
  if (world.size() > 1) world.handshake({{"data", loaders.fingerprint}, {"graph", to_json(graph).dump()}});
  if (const std::string late = late_drops(config, loaders.train->batches_per_epoch()); !late.empty())
    printer.on_message("warning: " + late);
  std::string resume = f.resume;
  RunDir run = open_run_of_rank(f.out, config, resume, world, printer);
  if (world.leads()) world.set_crash_directory(run.path());
  Parts parts{f,        world,           device,           std::move(config), train,
              parallel, std::move(conv), std::move(graph), std::move(loaders)};
  const int code =
      leaving_exit(run, [&](bool& began) { return train_in(run, began, parts, resume, printer); });
  world.finish();
  return code;
}

}  // namespace eb::tools
