#include "engine/run/session.h"

#include <cmath>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/graph/accounting.h"
#include "engine/run/names.h"
#include "engine/tensor/allocator.h"
#include "kernels/card_energy.h"

namespace eb::engine {

// The counters are those of one host's processors; those of other ranks' hosts and cards nobody adds up.
static bool measures_energy(const TrainConfig& config, const DataParallel& parallel) {
  return config.energy && (parallel.ranks() == 1 || parallel.world->local_size() == parallel.ranks());
}

static EnergyMeter::Card card_counter(const TrainConfig& config, const DataParallel& parallel,
                                      Device device) {
  if (!config.energy || parallel.ranks() > 1) return {};
  return [device] { return kernels::card_joules(device); };
}

Session::Session(Model model, const TrainConfig& config, SessionData data, RunDir& run,
                 nlohmann::json resolved_config, SessionObserver& observer, const DataParallel& parallel)
    : config_(config),
      parallel_(parallel),
      data_(std::move(data)),
      run_(run),
      resolved_config_(std::move(resolved_config)),
      observer_(observer),
      trainer_(std::move(model), config, data_.train->batches_per_epoch(), parallel),
      metrics_(run.path() / file_names::metrics),
      energy_(measures_energy(config, parallel) ? EnergyMeter::system : "",
              card_counter(config, parallel, trainer_.model().device())),
      steps_per_epoch_(data_.train->batches_per_epoch()),
      lap_start_(seconds_now()),
      last_checkpoint_time_(seconds_now()) {}

SessionEnd Session::run() {
  lap_start_ = seconds_now();
  if (!resumed_) {
    energy_.lap();  // set-up is not training
    begin_phase(first_phase_);
    metrics_.truncate_to(0);
    for (SessionHook* hook : hooks_) hook->before_run(*this);
    // A disk that cannot hold the checkpoints fails now, not at hour 7.
    uint64_t growth = 0, beside = 0;
    for (const SessionHook* hook : hooks_) {
      growth += hook->tensor_bytes(*this);
      beside += hook->disk_need(*this);
    }
    if (parallel_.leads())
      require_disk_space(run_.path(), checkpoint_disk_need(snapshot(), retention(), growth) + beside);
    save_checkpoint();
  } else {
    for (SessionHook* hook : hooks_) hook->before_going_on(*this);
    if (checkpoint_requested_) save_checkpoint();
  }
  while (!goal_reached()) {
    if (!train_epoch()) {
      save_checkpoint();
      write_status();
      return SessionEnd::stopped;
    }
  }
  finish();
  return SessionEnd::finished;
}

// A phase whose total is not known yet begins at 0.
template <class T>
static void add(std::optional<T>& total, T more) {
  total = total.value_or(0) + more;
}

bool Session::goal_reached() const {
  for (const SessionHook* hook : hooks_)
    if (hook->wants_stop()) return true;
  return trainer_.steps() >= trainer_.end() && batch_ == 0;
}

bool Session::stop_requested() const {
  return stop_ || (config_.max_steps && trainer_.steps() >= *config_.max_steps);
}

bool Session::train_epoch() {
  agree(true);
  if (stop_requested()) return false;
  data_.train->start(epoch_, batch_);
  Batch batch;
  while (trainer_.steps() < trainer_.end()) {
    const double t = seconds_now();
    if (!data_.train->next(batch)) break;
    add(phase().data_wait_seconds, seconds_now() - t);
    take_step(batch);
    if (batch_ == steps_per_epoch_) break;  // a stop now waits for the epoch's end: one state per step number
    agree(false);
    checkpoint_if_due(false);
    if (stop_requested()) return false;
  }
  end_epoch();
  return true;
}

void Session::take_step(const Batch& batch) {
  const double t = seconds_now();
  aside_seconds_ = 0;
  unread_[trainer_.steps()] = batch.ids;
  trainer_.advance(batch);
  ++batch_;
  if (config_.check_ranks == CheckRanks::step)
    require_same_state("after step " + std::to_string(trainer_.steps()));
  const bool due = results_due();
  if (due) read_results();
  account_step(batch.whole(), seconds_now() - t);
  if (due) report_progress();
  const double hooks_start = seconds_now();
  const size_t taken_in = phases_.size() - 1;  // a hook may begin the next phase
  for (SessionHook* hook : hooks_) hook->after_step(*this);
  const double seconds = seconds_now() - hooks_start - aside_seconds_;
  epoch_seconds_ += seconds;
  add(phases_[taken_in].train_seconds, seconds);
}

// A step: its whole time, its parts where they can be told apart, and its memory.
void Session::account_step(int64_t samples, double seconds) {
  epoch_seconds_ += seconds;
  add(phase().train_seconds, seconds);
  add(phase().steps, int64_t{1});
  add(phase().samples, samples);
  if (const auto parts = trainer_.step_seconds()) {
    account("forward", parts->forward);
    account("backward", parts->backward);
    account("optimizer", parts->optimizer);
    if (parallel_.sharded()) account("reduce", parts->reduce);
  }
  const auto peak = static_cast<int64_t>(allocator_stats(trainer_.model().device()).peak);
  phase().peak_memory_bytes = std::max(phase().peak_memory_bytes.value_or(0), peak);
}

// Reading waits for the device, so it happens only where someone looks.
bool Session::results_due() const {
  return trainer_.model().device() == Device::cpu || trainer_.steps() % config_.log_every == 0 ||
         batch_ == steps_per_epoch_ || trainer_.steps() == trainer_.end();
}

void Session::read_results() {
  epoch_sum_ = trainer_.totals();
  if (epoch_sum_.bad_step) diverged();
  unread_.clear();
}

void Session::report_progress() {
  const double rate = phase().images_per_s().value_or(0);
  const int64_t left = std::max<int64_t>(0, trainer_.end() - trainer_.steps());
  Progress p{*phase().name,
             "",
             epoch_ + 1,
             (trainer_.end() + steps_per_epoch_ - 1) / steps_per_epoch_,
             trainer_.steps(),
             trainer_.end(),
             epoch_sum_.loss / epoch_sum_.samples,
             static_cast<double>(epoch_sum_.top1) / epoch_sum_.samples,
             rate,
             rate > 0 ? static_cast<double>(left * config_.batch_size) / rate : 0};
  for (const SessionHook* hook : hooks_) p.status += hook->status();
  observer_.on_step(p);
  if (trainer_.steps() % config_.log_every != 0) return;
  const BatchRecord batch{epoch_, trainer_.steps(), *phase().name, epoch_sum_.last_loss, trainer_.last_lr()};
  metrics_.write(to_json(batch));
  observer_.on_batch(batch);
}

void Session::end_epoch() {
  ++epoch_;
  batch_ = 0;
  const double t = seconds_now();
  if (data_.holdout)
    last_holdout_ = evaluate(trainer_.model(), *data_.holdout, {},
                             {trainer_.steps(), EvaluationOf::Split::holdout}, parallel_.world);
  last_test_ = evaluate(trainer_.model(), *data_.test, {}, {trainer_.steps()}, parallel_.world);
  add(phase().eval_seconds, seconds_now() - t);
  track_best(data_.holdout ? last_holdout_ : last_test_);
  write_epoch_metrics();
  trainer_.reset_totals();
  epoch_sum_ = {};
  epoch_seconds_ = 0;
  if (config_.check_ranks != CheckRanks::off) require_same_state("after epoch " + std::to_string(epoch_));
  share_bad_samples();
  agree(true);
  write_status();
  checkpoint_if_due(true);
}

void Session::write_epoch_metrics() {
  EpochRecord e{epoch_, trainer_.steps(), *phase().name};
  if (epoch_sum_.samples) {
    e.train_loss = epoch_sum_.loss / epoch_sum_.samples;
    e.train_top1 = static_cast<double>(epoch_sum_.top1) / epoch_sum_.samples;
  }
  e.lr = trainer_.last_lr();
  e.test_loss = last_test_.loss;
  e.test_top1 = last_test_.top1_accuracy();
  e.test_top5 = last_test_.top5_accuracy();
  if (data_.holdout) e.holdout_top1 = last_holdout_.top1_accuracy();
  e.images_per_s = epoch_seconds_ > 0 ? static_cast<double>(epoch_sum_.samples) / epoch_seconds_ : 0;
  e.seconds = epoch_seconds_;
  e.data_wait_seconds = phase().data_wait_seconds;
  e.peak_gib =
      static_cast<double>(allocator_stats(trainer_.model().device()).peak) / static_cast<double>(1u << 30);
  lap();
  e.joules = phase().joules;
  for (SessionHook* hook : hooks_) hook->after_epoch(*this, e);
  metrics_.write(to_json(e));
  observer_.on_epoch(e);
}

void Session::track_best(const Evaluation& e) {
  new_best_ = !best_ || best_->phase != phase().name || e.top1_accuracy() > best_->top1;
  if (new_best_)
    best_ = BestRecord{e.top1_accuracy(),
                       e.top5_accuracy(),
                       last_test_.top1_accuracy(),
                       epoch_,
                       phase().name,
                       data_.holdout ? "holdout" : "test"};
}

// The precision of a phase is that of its first step on: the model itself does not change.
void Session::begin_phase(Phase name) {
  trainer_.set_precision(config_.precision.in(name));
  const GraphCost cost = graph_cost(trainer_.model().graph());
  PhaseRecord p{name, cost.params, cost.flops, cost.macs, trainer_.steps(), 0, 0, 0.0, 0.0, 0.0};
  p.seconds.emplace();
  phases_.push_back(std::move(p));
  reset_allocator_peak(trainer_.model().device());
}

// Energy and wall time since the last lap are this phase's.
void Session::lap() {
  const double now = seconds_now();
  account("wall", now - lap_start_);
  lap_start_ = now;
  const auto joules = energy_.lap();
  if (joules)
    add(phase().joules, *joules);
  else
    phase().joules.reset();
  phase().energy_method = joules ? Words(energy_.method()) : std::nullopt;
}

void Session::replace_model(Model model, Phase name) {
  lap();
  trainer_.replace_model(std::move(model));
  begin_phase(name);
  require_same_state("in the " + std::string(engine::name_of(name)) + " network");
}

// With the summary so far, for whoever looks at a run that has not finished.
void Session::write_status() {
  lap();
  run_.write_status(std::string(name_of(*phase().name)), trainer_.steps(), summary());
}

void Session::finish() {
  save_checkpoint();
  lap();
  run_.write_json(file_names::summary, to_json(summary()));
}

}  // namespace eb::engine
