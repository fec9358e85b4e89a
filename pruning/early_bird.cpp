#include "pruning/early_bird.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/config/config.h"
#include "engine/run/names.h"

namespace eb::pruning {

using engine::Duration;
using nlohmann::json;

EarlyBirdConfig early_bird_config(const engine::Config& c) {
  const auto text = [&](const char* key) { return c.get<std::string>(std::string("early_bird.") + key); };
  EarlyBirdConfig e;
  e.enabled = c.get<bool>("early_bird.enabled");
  e.l1 = c.get<float>("early_bird.l1");
  e.watch = c.get<std::vector<double>>("early_bird.watch");
  e.draw = c.get<double>("early_bird.draw");
  e.criterion = c.get<EarlyBirdConfig::Criterion>("early_bird.criterion");
  e.rule = c.get<Rule>("early_bird.rule");
  e.merge = c.get<Merge>("early_bird.merge");
  e.detector.window = c.get<int64_t>("early_bird.window");
  e.detector.threshold = c.get<double>("early_bird.threshold");
  e.detector.compare = c.get<EarlyBirdDetector::Compare>("early_bird.compare");
  e.every = engine::parse_duration(text("every"));
  if (!c.is_null("early_bird.deadline")) e.deadline = engine::parse_duration(text("deadline"));
  if (!c.is_null("early_bird.draw_at")) e.draw_at = engine::parse_duration(text("draw_at"));
  e.on_not_found = c.get<EarlyBirdConfig::OnNotFound>("early_bird.on_not_found");
  e.close = {c.get<int64_t>("early_bird.min_channels"), c.get<int64_t>("early_bird.round_to"),
             c.get<RoundTo>("early_bird.round"), e.merge,
             c.get<std::vector<std::string>>("early_bird.protect")};
  e.momentum = c.get<MomentumRule>("early_bird.after.optimizer_state");
  e.weights = c.get<EarlyBirdConfig::Weights>("early_bird.after.weights");
  e.schedule = c.get<EarlyBirdConfig::Schedule>("early_bird.after.schedule");
  e.l1_after = c.get<bool>("early_bird.after.l1");
  e.keep_dense = c.get<bool>("checkpoint.keep_dense");
  return e;
}

EarlyBirdConfig early_bird_config(const engine::Config& c, engine::Device device) {
  EarlyBirdConfig e = early_bird_config(c);
  constexpr int64_t copied_at_once = 8;  // of bf16
  if (device != engine::Device::cpu && e.close.round_to == 1 && c.get<bool>("cuda.pad_channels"))
    e.close.round_to = copied_at_once, e.close.round = RoundTo::pad;
  return e;
}

std::string ratio_name(double ratio) {
  return fmt::format("p{:g}", ratio * 100);
}

static int64_t deadline_step(const EarlyBirdConfig& c, int64_t steps_per_epoch, int64_t total) {
  if (c.deadline) return c.deadline->in_steps(steps_per_epoch);
  return c.on_not_found == EarlyBirdConfig::OnNotFound::draw_at_deadline ? (total + 1) / 2 : total;
}

EarlyBird::EarlyBird(const EarlyBirdConfig& config, int64_t bits, std::filesystem::path masks,
                     int64_t steps_per_epoch, int64_t total_steps)
    : config_(config),
      masks_(std::move(masks)),
      bits_(bits),
      deadline_step_(deadline_step(config, steps_per_epoch, total_steps)) {
  if (config_.draw_at) draw_at_step_ = config_.draw_at->in_steps(steps_per_epoch);
  for (double ratio : config_.watch)
    watched_.push_back({ratio, EarlyBirdDetector(config_.detector, bits_), nullptr, {}});
}

std::filesystem::path EarlyBird::history_path(double ratio) const {
  return masks_ / engine::file_names::mask_file(ratio_name(ratio));
}

EarlyBird::Check EarlyBird::check(const engine::Model& model, int64_t epoch, int64_t step) {
  epoch_ = epoch, step_ = step;
  if (!drawer_) drawer_ = std::make_unique<MaskDrawer>(model, config_.rule, config_.merge);
  std::vector<MaskDrawer::Request> requests;
  for (const Watched& w : watched_) requests.push_back({w.ratio, w.detector.to_compare()});
  const auto drawn_masks = drawer_->draw(model, requests);
  Check result;
  for (size_t i = 0; i < watched_.size(); ++i) {
    Watched& w = watched_[i];
    const PackedMask& mask = drawn_masks[i].mask;
    if (!w.history) w.history = std::make_unique<MaskHistory>(history_path(w.ratio), bits_, 0);
    w.history->append(mask.words);
    const auto verdict = w.detector.push(mask.words, drawn_masks[i].differing);
    w.distances = verdict.distances;
    engine::MaskCheck& check = result.masks[ratio_name(w.ratio)];
    if (!w.distances.empty()) check.distance = *std::max_element(w.distances.begin(), w.distances.end());
    check.kept = mask.kept;
    check.threshold = mask.threshold;
    if (!verdict.emerged || w.found) continue;
    w.found = {epoch, step, w.distances};
    result.emerged.push_back(w.ratio);
  }
  return result;
}

const EarlyBird::Watched& EarlyBird::of(double ratio) const {
  return *std::find_if(watched_.begin(), watched_.end(), [&](const Watched& w) { return w.ratio == ratio; });
}

bool EarlyBird::deadline_reached() const {
  return step_ >= deadline_step_;
}

EarlyBird::Decision EarlyBird::decision() const {
  using OnNotFound = EarlyBirdConfig::OnNotFound;
  if (draw_at_step_) return step_ >= *draw_at_step_ ? Decision::draw_at : Decision::keep_searching;
  if (drawn().found) return Decision::draw;
  if (!deadline_reached()) return Decision::keep_searching;
  if (config_.on_not_found == OnNotFound::fail) return Decision::fail;
  return config_.on_not_found == OnNotFound::continue_dense ? Decision::continue_dense
                                                            : Decision::draw_at_deadline;
}

Ticket EarlyBird::draw(const engine::Model& model, double ratio) const {
  Ticket t = draw_ticket(model, {ratio, config_.rule, config_.merge});
  t.epoch = epoch_;
  t.step = step_;
  t.distances = of(ratio).distances;
  return t;
}

std::string EarlyBird::status() const {
  const auto& d = drawn().distances;
  return d.empty() ? "" : fmt::format("distance {:.3f}", *std::max_element(d.begin(), d.end()));
}

engine::SearchRecord EarlyBird::summary() const {
  engine::SearchRecord s;
  for (const Watched& w : watched_) {
    s.epochs[ratio_name(w.ratio)] = w.found ? engine::Count(w.found->epoch) : std::nullopt;
    s.steps[ratio_name(w.ratio)] = w.found ? engine::Count(w.found->step) : std::nullopt;
  }
  s.window = config_.detector.window;
  s.threshold = config_.detector.threshold;
  s.compare = engine::name_of(config_.detector.compare);
  s.rule = engine::name_of(config_.rule);
  return s;
}

SearchState EarlyBird::save() const {
  SearchState s{epoch_, step_, bits_, {}};
  for (const Watched& w : watched_)
    s.watched.push_back(
        {w.ratio, w.detector.save(), w.history ? w.history->records() : 0, w.distances, w.found});
  return s;
}

void EarlyBird::load(const SearchState& state) {
  epoch_ = state.epoch;
  step_ = state.step;
  const auto same = [](const Watched& w, const SearchState::Watched& s) { return s.ratio == w.ratio; };
  if (!std::equal(watched_.begin(), watched_.end(), state.watched.begin(), state.watched.end(), same))
    throw Error(errors::search_state, "the saved search watches other ratios than early_bird.watch");
  for (size_t i = 0; i < watched_.size(); ++i) {
    const SearchState::Watched& s = state.watched[i];
    Watched& w = watched_[i];
    w.detector.load(s.detector);
    w.distances = s.distances;
    w.found = s.found;
    if (s.records > 0) w.history = std::make_unique<MaskHistory>(history_path(w.ratio), bits_, s.records);
  }
}

}  // namespace eb::pruning
