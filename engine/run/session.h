// A training run: epochs over the data, evaluation, metrics, checkpoints, signals. It is the loop around
// Trainer::step and knows nothing of pruning: a SessionHook may look at the model after an epoch and replace
// it. Everything that decides the next step is in the checkpoint, so a run killed at any instant repeats
// itself.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/run/energy.h"
#include "engine/run/metrics.h"
#include "engine/run/record.h"
#include "engine/run/run_dir.h"
#include "engine/train/evaluate.h"
#include "engine/train/trainer.h"

namespace eb::engine {

class Session;

class SessionHook {
 public:
  virtual ~SessionHook() = default;
  virtual const char* name() const = 0;  // of its state in checkpoints
  // A new run, before its first step. Not called on resume, unless the checkpoint knows nothing of this hook.
  virtual void before_run(Session&) {}
  virtual void before_going_on(Session&) {}  // a resumed run, all hooks restored, before its next step
  virtual void after_step(Session&) {}
  // After training and evaluating an epoch, before its metrics are written; may add to them.
  virtual void after_epoch(Session&, EpochRecord&) {}
  virtual void before_checkpoint(const Session&) {}  // on every rank; save() follows on the first
  virtual bool wants_stop() const { return false; }  // the run's goal is reached before its duration
  virtual nlohmann::json save() const { return nlohmann::json::object(); }
  virtual void load(Session&, const nlohmann::json&) {}
  // Tensors of its own for the checkpoint, under names no other hook uses; load_tensors follows load().
  virtual void save_tensors(std::map<std::string, Tensor>&) const {}
  virtual void load_tensors(const Session&, const std::map<std::string, Tensor>&) {}
  virtual uint64_t tensor_bytes(const Session&) const { return 0; }  // of all it will ever save at once
  virtual uint64_t disk_need(const Session&) const { return 0; }  // of what it keeps beside the checkpoints
  virtual void summarize(const Session&, RunSummary&) const {}
  virtual std::string status() const { return ""; }  // a few words for the progress line
  // What must be the same on every rank of a run; compared, never read.
  virtual std::string fingerprint() const { return ""; }
};

struct Progress {
  Phase phase = Phase::dense;
  std::string status;
  int64_t epoch = 0, epochs = 0, step = 0, end_step = 0;
  double loss = 0, top1 = 0, images_per_s = 0, eta_seconds = 0;
};

// What a person watches; the session never prints.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  virtual void on_step(const Progress&) {}
  virtual void on_batch(const BatchRecord&) {}  // these two: once the line of metrics.jsonl is written
  virtual void on_epoch(const EpochRecord&) {}
  virtual void on_message(const std::string&) {}
};

struct SessionData {
  BatchSource* train = nullptr;
  BatchSource* holdout = nullptr;  // may be null: then "best" is picked on test, and the summary says so
  BatchSource* test = nullptr;
  std::string fingerprint;  // of the data set; a resumed run must see the same
};

enum class SessionEnd : uint8_t { finished, stopped };  // stopped: on request, with a checkpoint

class Session {
 public:
  // Of several ranks each has a session of its own, which does the same; the first one's writes checkpoints.
  Session(Model model, const TrainConfig& config, SessionData data, RunDir& run,
          nlohmann::json resolved_config, SessionObserver& observer, const DataParallel& parallel = {});

  void add_hook(SessionHook* hook) { hooks_.push_back(hook); }
  void resume(const Checkpoint& checkpoint);  // before run(); Error 40xx if it does not fit
  SessionEnd run();

  // For hooks.
  Trainer& trainer() { return trainer_; }
  const Trainer& trainer() const { return trainer_; }
  const RunDir& run_dir() const { return run_; }
  const TrainConfig& config() const { return config_; }
  const DataParallel& parallel() const { return parallel_; }
  // Error 9005 unless all ranks have the same network and the same in every hook; every rank calls it.
  void require_same_state(const std::string& when);
  int64_t epoch() const { return epoch_; }  // completed epochs
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  const SessionData& data() const { return data_; }
  bool goal_reached() const;  // no epoch comes after this one
  const std::vector<PhaseRecord>& phases() const { return phases_; }
  void begin_phase(Phase phase);
  // Time of the phase at hand, under a name of PhaseRecord::seconds.
  void account(const std::string& what, double seconds) {
    if (phase().seconds) (*phase().seconds)[what] += seconds;
  }
  // Seconds that a hook took for what is no training: they count in no phase.
  void set_aside(double seconds) { aside_seconds_ += seconds; }
  void set_first_phase(Phase phase) { first_phase_ = phase; }
  void replace_model(Model model, Phase phase);
  void note(const std::string& text) { observer_.on_message(text); }
  void request_checkpoint() { checkpoint_requested_ = true; }  // at the end of this step or epoch
  const Evaluation& last_test() const { return last_test_; }
  // The network as it is now, with its momentum: a checkpoint to take things from, not one to go on from. Of
  // the same steps always the same bytes.
  Checkpoint network() const;
  RunSummary summary() const;

 private:
  void restore(const Checkpoint& checkpoint);
  bool train_epoch();  // false: stopped in the middle
  void end_epoch();
  void finish();
  void take_step(const Batch& batch);
  void account_step(int64_t samples, double seconds);
  bool results_due() const;
  void read_results();
  void report_progress();
  void write_epoch_metrics();
  void lap();
  void write_status();
  std::set<std::string> bad_samples() const;
  void track_best(const Evaluation& e);
  void checkpoint_if_due(bool epoch_end);
  void agree(bool wait);
  void share_bad_samples();
  nlohmann::json samples_of_step(int64_t step);
  std::string bad_shard() const;
  bool stop_requested() const;
  void save_checkpoint();
  void require_finite_values();
  [[noreturn]] void diverged();
  Checkpoint snapshot() const;
  CheckpointOptions retention() const;
  nlohmann::json state() const;
  PhaseRecord& phase() { return phases_.back(); }

  TrainConfig config_;
  DataParallel parallel_;
  SessionData data_;
  RunDir& run_;
  nlohmann::json resolved_config_;
  SessionObserver& observer_;
  Trainer trainer_;
  MetricsWriter metrics_;
  EnergyMeter energy_;
  std::vector<SessionHook*> hooks_;
  int64_t steps_per_epoch_, epoch_ = 0, batch_ = 0;
  StepTotals epoch_sum_;                            // as last read from the device
  std::map<int64_t, std::vector<int64_t>> unread_;  // this rank's samples of the steps since then
  double epoch_seconds_ = 0, aside_seconds_ = 0, lap_start_;
  std::vector<PhaseRecord> phases_;
  Evaluation last_test_, last_holdout_;
  std::set<std::string> bad_before_;  // samples that were bad before this process went on with the run
  std::optional<BestRecord> best_;
  bool new_best_ = false;
  Phase first_phase_ = Phase::dense;
  int64_t last_checkpoint_step_ = -1;
  double last_checkpoint_time_ = 0;
  bool resumed_ = false, disk_was_full_ = false, checkpoint_requested_ = false;
  bool stop_ = false;  // agreed
};

}  // namespace eb::engine
