// `eb_engine train`: search, draw, compact and retrain in one process. Composes config, data, model, run
// directory and the Early-Bird hook, then lets the session run.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

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
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/cli/device_error.h"
#include "tools/cli/observers.h"
#include "tools/experiment/data_list.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/init_from.h"
#include "tools/experiment/late_drops.h"
#include "tools/experiment/resume.h"
#include "tools/experiment/version.h"
#include "tools/report/gather/gather.h"
#include "tools/report/page/write.h"
#include "tools/tensorboard/tensorboard.h"
#include "tools/watch/progress.h"
#include "tools/watch/summary_table.h"

namespace eb::tools {

using namespace engine;

struct TrainFlags {
  CommonFlags common;
  std::string out, name, resume, until, init_from;
  std::vector<std::string> allow_change;
  int64_t max_steps = -1, replace_classifier = 0;
  bool deterministic = false, json = false, quiet = false;
};

using Until = pruning::EarlyBirdHook::Until;

static Until until(const std::string& text) {
  return text.empty() ? Until::end : named<Until>(text, "--until", errors::bad_value);
}

static std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
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

static void begin_run(const RunDir& run, const Config& config, SessionObserver& observer) {
  if (!run.warning().empty()) observer.on_message("warning: " + run.warning());
  run.describe(command_line(), config.ordered(), version_info());
  watch_stop_signals();
}

static Model new_model(const Graph& graph, const Config& config, const TrainConfig& train,
                       std::shared_ptr<ConvChoice> conv, Device device) {
  Model model(graph, train.compute, device);
  model.conv = std::move(conv);
  initialize(model, init_of(config), train.seed);
  return model;
}

// A run that goes on does so with the data it was started with; a new one remembers which these are.
static bool goes_on_with(Session& session, const RunDir& run, const TrainFlags& f, const Config& config,
                         const data::Loaders& loaders, SessionObserver& observer) {
  try {
    const bool goes_on = resume_if_asked(session, run, f.resume, config, f.allow_change, observer);
    keep_data_list(run, loaders);
    return goes_on;
  } catch (const Error& e) {
    throw with_difference(e, run, loaders);
  }
}

static int train_in(RunDir& run, bool& began, const TrainFlags& f, const Config& config, const Graph& graph,
                    const TrainConfig& train, const data::Loaders& loaders, std::shared_ptr<ConvChoice> conv,
                    Device device, ProgressPrinter& printer) {
  begin_run(run, config, printer);
  tensorboard::TensorBoard board(run.path(), printer);
  Observers observers;
  observers.add(&printer);
  observers.add(&board);
  Session session(new_model(graph, config, train, std::move(conv), device), train,
                  {loaders.train.get(), loaders.holdout.get(), loaders.test.get(), loaders.fingerprint}, run,
                  config.json(), observers);
  quant::BlockMetrics block_metrics;  // first: it reads counts that go with the model
  session.add_hook(&block_metrics);
  tensorboard::BnHistograms histograms(board);
  if (config.get<bool>("log.tensorboard_histograms")) session.add_hook(&histograms);
  pruning::EarlyBirdHook early_bird(pruning::early_bird_config(config, device), init_of(config), train.seed,
                                    until(f.until));
  const auto first_weights = first_weights_of(config);
  early_bird.set_first_weights(first_weights);
  if (early_bird.enabled()) session.add_hook(&early_bird);
  if (early_bird.enabled()) session.set_first_phase(Phase::search);
  quant::WeightAverage swa(quant::weight_average_config(config), config.json());
  if (swa.enabled()) session.add_hook(&swa);
  const bool goes_on = goes_on_with(session, run, f, config, loaders, printer);
  if (!goes_on && first_weights) first_weights(session.trainer().model());
  if (config.get<bool>("log.tensorboard")) board.begin(session.trainer().steps());
  began = true;
  run.write_status("setup", session.trainer().steps());
  const SessionEnd end = session.run();
  printer.clear_line();
  finish(board);
  return finish(f, config, run, end);
}

static int train(const TrainFlags& f) {
  ProgressPrinter printer(f.quiet ? ProgressPrinter::Style::quiet : ProgressPrinter::Style::automatic);
  Config config = experiment_of(f);
  take_network(config, f.resume == "never" ? "" : f.out,
               [&](const std::string& text) { printer.on_message(text); });
  const Device device = set_up_device(f.common.device, f.common.threads);
  auto conv = conv_choice_of(config, device);
  set_up_memory(config, device);
  if (device != Device::cpu && kernels::waits_for_each_launch())
    printer.on_message("EB_CUDA_SYNC=1: each kernel is waited for and no step is recorded, which is slow");
  const TrainConfig train = train_config_of(f, config);
  const Graph graph = graph_of(config);
  auto loaders = data::make_loaders(
      data::data_config(config), train.batch_size, train.eval_batch_size, graph, train.compute,
      [&](const std::string& text) { printer.on_message(text); }, device);
  if (const std::string late = late_drops(config, loaders.train->batches_per_epoch()); !late.empty())
    printer.on_message("warning: " + late);
  RunDir run = open_run(f.out, config);
  return leaving_exit(run, [&](bool& began) {
    return train_in(run, began, f, config, graph, train, loaders, std::move(conv), device, printer);
  });
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
           Flag{"--deterministic", &f->deterministic, "Same bits for any number of threads"},
           Flag{"--json", &f->json, "Print the summary as one JSON object, of a stopped run so far"},
           Flag{"-q,--quiet", &f->quiet, "No progress"}}),
      .run = [f] { return train(*f); },
  };
}

}  // namespace eb::tools
