// What a session saves and restores, its summary, and what it leaves behind when training diverges.
#include <cmath>
#include <utility>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/accounting.h"
#include "engine/run/conv_choices.h"
#include "engine/run/names.h"
#include "engine/run/session.h"
#include "kernels/reduce.h"

namespace eb::engine {

using nlohmann::json;

static json to_json(const Evaluation& e) {
  return {{"loss", e.loss}, {"top1", e.top1}, {"top5", e.top5}, {"total", e.total}};
}

static Evaluation evaluation_from_json(const json& j) {
  return {j.at("loss"), j.at("top1"), j.at("top5"), j.at("total")};
}

json Session::state() const {
  json phases = json::array(), hooks = json::object();
  for (const PhaseRecord& p : phases_) phases.push_back(to_json(p));
  for (const SessionHook* hook : hooks_) hooks[hook->name()] = hook->save();
  return {
      {"step", trainer_.steps()},
      {"schedule_start", trainer_.schedule_start()},
      {"epoch", epoch_},
      {"batch", batch_},
      {"phase", *phases_.back().name},
      {"phases", phases},
      {"hooks", hooks},
      {"epoch_sum", {{"loss", epoch_sum_.loss}, {"top1", epoch_sum_.top1}, {"samples", epoch_sum_.samples}}},
      {"epoch_seconds", epoch_seconds_},
      {"last_test", to_json(last_test_)},
      {"last_holdout", to_json(last_holdout_)},
      {"best", best_ ? to_json(*best_) : json()},
      {"bad_samples", bad_samples()},
      {"metrics_offset", metrics_.offset()},
      {"data_fingerprint", data_.fingerprint},
      {"steps_per_epoch", steps_per_epoch_}};
}

Checkpoint Session::snapshot() const {
  Checkpoint c = network();
  c.state = state();
  for (const SessionHook* hook : hooks_) hook->save_tensors(c.hooks);
  return c;
}

Checkpoint Session::network() const {
  Checkpoint c;
  c.state = {{"step", trainer_.steps()}, {"epoch", epoch_}, {"phase", *phases_.back().name}};
  c.model = state_dict(trainer_.model());
  c.optim = momentum_dict(trainer_.model());
  c.metadata = {{"format", "1"},
                {"graph", to_json(trainer_.model().graph()).dump()},
                {"config", resolved_config_.dump()}};
  store_conv_choices(trainer_.model().conv.get(), c);
  return c;
}

void Session::resume(const Checkpoint& c) {
  try {
    restore(c);
  } catch (const json::exception& e) {
    throw Error(errors::checkpoint_content,
                std::string("the checkpoint's state.json does not say what a run needs: ") + e.what());
  }
}

// Null if the checkpoint knows nothing of this hook. Older checkpoints list the one hook there was.
static const json* state_of(const json& hooks, const std::string& name) {
  if (hooks.is_array()) return name == "early_bird" && !hooks.empty() ? &hooks.at(0) : nullptr;
  return hooks.contains(name) ? &hooks.at(name) : nullptr;
}

// One that a run can go on with: only what older versions did not write may be missing.
static PhaseRecord whole_phase(const json& j) {
  PhaseRecord p = phase_from_json(j);
  if (p.name && p.params && p.flops_per_image && p.start_step && p.steps && p.samples && p.train_seconds &&
      p.eval_seconds && p.data_wait_seconds)
    return p;
  throw Error(errors::checkpoint_content,
              "the checkpoint's state.json does not say what a run needs: a phase lacks a number");
}

void Session::restore(const Checkpoint& c) {
  const json& s = c.state;
  if (s.at("data_fingerprint") != data_.fingerprint)
    throw Error(errors::other_data, "the data set is not the one this run was started with",
                "point data.root at the same files, or start a new run");
  const Device device = trainer_.model().device();
  if (ConvChoice* conv = trainer_.model().conv.get()) conv->load(stored_conv_choices(c), device);
  Model model(graph_from_json(c.graph()), config_.compute, device);
  load_state_dict(model, c.model);
  load_momentum_dict(model, c.optim);
  trainer_.replace_model(std::move(model));
  trainer_.set_precision(config_.precision.in(s.at("phase")));
  trainer_.restore(s.at("step"), s.at("schedule_start"));
  epoch_ = s.at("epoch");
  batch_ = s.at("batch");
  for (const json& p : s.at("phases")) phases_.push_back(whole_phase(p));
  const json& sum = s.at("epoch_sum");
  epoch_sum_.loss = sum.at("loss");
  epoch_sum_.top1 = sum.at("top1");
  epoch_sum_.samples = sum.at("samples");
  trainer_.reset_totals(epoch_sum_);
  epoch_seconds_ = s.at("epoch_seconds");
  last_test_ = evaluation_from_json(s.at("last_test"));
  last_holdout_ = evaluation_from_json(s.at("last_holdout"));
  if (const json& best = s.at("best"); !best.is_null()) best_ = best_from_json(best);
  bad_before_ = s.value("bad_samples", bad_before_);
  metrics_.truncate_to(s.at("metrics_offset"));
  for (SessionHook* hook : hooks_) {
    const json* saved = state_of(s.at("hooks"), hook->name());
    if (!saved) {  // it came with a changed config
      hook->before_run(*this);
      continue;
    }
    hook->load(*this, *saved);
    hook->load_tensors(*this, c.hooks);
  }
  last_checkpoint_step_ = trainer_.steps();
  resumed_ = true;
}

static bool crossed(const Duration& every, int64_t step, int64_t epoch, bool epoch_end) {
  if (every.count <= 0) return false;
  return every.unit == Duration::Unit::steps ? step % every.count == 0
                                             : epoch_end && epoch % every.count == 0;
}

void Session::checkpoint_if_due(bool epoch_end) {
  const bool best = epoch_end && new_best_ && config_.keep_best > 0;
  if (crossed(config_.checkpoint_every, trainer_.steps(), epoch_, epoch_end) || best || checkpoint_requested_)
    save_checkpoint();
}

CheckpointOptions Session::retention() const {
  CheckpointOptions keep;
  keep.keep_last = static_cast<int>(std::max<int64_t>(1, config_.keep_last));
  keep.best = new_best_ && config_.keep_best > 0;
  keep.milestone =
      config_.milestones && batch_ == 0 && crossed(*config_.milestones, trainer_.steps(), epoch_, true);
  return keep;
}

void Session::save_checkpoint() {
  const bool asked = std::exchange(checkpoint_requested_, false);
  if (last_checkpoint_step_ == trainer_.steps() && !asked) return;  // nothing happened since
  read_results();
  require_finite_values();
  lap();
  const double start = seconds_now();
  require_same_state("at the checkpoint of step " + std::to_string(trainer_.steps()));
  share_bad_samples();
  for (SessionHook* hook : hooks_) hook->before_checkpoint(*this);
  const SaveResult result = parallel_.leads()
                                ? engine::save_checkpoint(run_.path() / file_names::checkpoints,
                                                          trainer_.steps(), snapshot(), retention())
                                : SaveResult::saved;
  if (result == SaveResult::disk_full) {
    if (disk_was_full_)
      throw Error(errors::disk_full,
                  "the disk under " + run_.path().string() +
                      " is full: two checkpoints in a row could not be written",
                  "free some space and run again with --resume auto");
    observer_.on_message(
        "warning: the disk is full, this checkpoint was not written; training goes on until the next");
  }
  disk_was_full_ = result == SaveResult::disk_full;
  account("checkpoint", seconds_now() - start);
  if (result == SaveResult::saved) last_checkpoint_step_ = trainer_.steps();
  last_checkpoint_time_ = seconds_now();
  new_best_ = false;
}

// Empty if there is none to name; what is wrong with it must not hide that training diverged.
static std::string last_good_checkpoint(const std::filesystem::path& directory) {
  try {
    const auto found = find_latest(directory);
    return found ? found->path.string() : "";
  } catch (const Error&) {
    return "";
  }
}

// An update may overflow though its gradients were finite; the next step would notice, a checkpoint must not
// carry it.
void Session::require_finite_values() {
  const Tensor& values = trainer_.model().values();
  const Tensor finite = Tensor::empty({1}, DType::i32, values.device());
  const kernels::Reduce& k = kernels::reduce(values.device());
  const Tensor space = workspace(k.workspace_bytes(values.size()), values.device());
  k.all_finite(values.size(), values.data<float>(), finite.data<int32_t>(), space.raw());
  if (finite.item<int32_t>()) return;
  epoch_sum_.bad_step = trainer_.steps() - 1;
  diverged();
}

void Session::diverged() {
  const int64_t step = *epoch_sum_.bad_step;
  const double loss = epoch_sum_.last_loss;
  json layers = json::array();
  const Model& model = trainer_.model();
  const Tensor gradients = model.gradients().to(Device::cpu);
  for (const Parameter& p : model.parameters()) {
    int64_t bad = 0;
    for (int64_t i = 0; i < p.count; ++i) bad += !std::isfinite(gradients.data<float>()[p.offset + i]);
    if (bad) layers.push_back({{"parameter", p.name}, {"non_finite_gradients", bad}});
  }
  run_.write_json(file_names::divergence, {{"step", step},
                                           {"epoch", epoch_},
                                           {"sample_ids", samples_of_step(step)},
                                           {"loss", std::isfinite(loss) ? json(loss) : json(nullptr)},
                                           {"lr", trainer_.lr_at(step)},
                                           {"parameters", layers}});
  if (parallel_.ranks() > 1) parallel_.world->barrier();  // who ends first ends the others
  const std::string good = last_good_checkpoint(run_.path() / file_names::checkpoints);
  throw Error(errors::not_finite,
              "the loss or a gradient is not finite at step " + std::to_string(step) + bad_shard() +
                  "; the update was not applied",
              (good.empty() ? "" : "last good checkpoint: " + good + "; ") +
                  "a lower train.optimizer.lr or a warm-up usually helps; details in " +
                  (run_.path() / file_names::divergence).string());
}

// Their names are bytes, what we write down is JSON.
std::set<std::string> Session::bad_samples() const {
  std::set<std::string> all = bad_before_;
  for (const BatchSource* source : {data_.train, data_.holdout, data_.test})
    if (source)
      for (const std::string& bad : source->bad_samples()) all.insert(utf8(bad));
  return all;
}

static double total_training_flops(const std::vector<PhaseRecord>& phases) {
  double flops = 0;
  for (const PhaseRecord& p : phases) flops += training_flops(*p.samples, {{1, *p.flops_per_image}});
  return flops;
}

// Search included; none if a phase was not measured.
static Number total_joules(const std::vector<PhaseRecord>& phases) {
  double joules = 0;
  for (const PhaseRecord& p : phases) {
    if (!p.joules) return std::nullopt;
    joules += *p.joules;
  }
  return joules;
}

RunSummary Session::summary() const {
  const PhaseRecord& last = phases_.back();
  RunSummary s;
  s.seed = config_.seed;
  s.name = resolved_config_.value("name", "run");
  s.steps = trainer_.steps();
  s.epochs = epoch_;
  s.samples_per_epoch = data_.train->samples();
  s.steps_per_epoch = steps_per_epoch_;
  s.phases = phases_;
  s.best = best_;
  s.bad_samples = bad_samples();
  s.total_training_flops = total_training_flops(phases_);
  s.train_seconds = 0;
  for (const PhaseRecord& p : phases_) *s.train_seconds += *p.train_seconds;
  NetworkRecord& trained = s.dense.emplace();
  if (last_test_.total > 0) {  // else no epoch has ended yet
    trained.test_top1 = last_test_.top1_accuracy();
    trained.test_top5 = last_test_.top5_accuracy();
    trained.test_loss = last_test_.loss;
  }
  trained.params = last.params;
  trained.flops_per_image = last.flops_per_image;
  trained.training_flops = s.total_training_flops;
  trained.seconds = s.train_seconds;
  trained.images_per_s = last.images_per_s().value_or(0);
  trained.joules = total_joules(phases_);
  for (const SessionHook* hook : hooks_) hook->summarize(*this, s);
  return s;
}

}  // namespace eb::engine
