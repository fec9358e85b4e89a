#include "pruning/early_bird_hook.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/accounting.h"
#include "engine/run/names.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/autograd.h"
#include "engine/train/noise.h"
#include "pruning/compact.h"
#include "pruning/paired_steps.h"
#include "pruning/protect.h"
#include "pruning/shortfall.h"

namespace eb::pruning {

using namespace engine;
using nlohmann::json;

EarlyBirdHook::EarlyBirdHook(EarlyBirdConfig config, InitConfig init, uint64_t seed, Until until)
    : config_(std::move(config)), init_(init), seed_(seed), until_(until) {}

void EarlyBirdHook::start(Session& session, int64_t bits) {
  search_ = std::make_unique<EarlyBird>(config_, bits, session.run_dir().path() / file_names::masks,
                                        session.steps_per_epoch(), session.trainer().end());
}

// Where its unit is not that of train.duration, a moment can be compared with the end only here.
static void check_moment(const char* key, const std::optional<Duration>& at, const Session& session,
                         bool end_too) {
  if (!at) return;
  const int64_t step = at->in_steps(session.steps_per_epoch()), end = session.trainer().end();
  if (step < end || (step == end && end_too)) return;
  throw Error(errors::keys_contradict,
              fmt::format("{} {} is step {}, but training ends at step {}", key, to_string(*at), step, end),
              "set it earlier, or a longer train.duration");
}

void EarlyBirdHook::before_run(Session& session) {
  check_moment("early_bird.draw_at", config_.draw_at, session,
               config_.schedule == EarlyBirdConfig::Schedule::restart);
  check_moment("early_bird.deadline", config_.deadline, session, true);
  check_protect(session.trainer().model().graph(),
                config_.close.protect);  // now, and not at the draw, hours later
  const Scores scores = bn_scores(session.trainer().model(), config_.rule, config_.merge);
  start(session, static_cast<int64_t>(scores.values.size()));
  session.trainer().set_l1(config_.l1);
}

// A run that stopped behind the search or the draw (--until) has drawn nothing, or compacted nothing, yet.
void EarlyBirdHook::before_going_on(Session& session) {
  if (!draw_ || session.phases().size() > 1) return;
  session.request_checkpoint();
  follow(session);
}

static std::string now(const Session& session) {
  return moment(session.trainer().steps(), session.steps_per_epoch());
}

static std::string ticket_path(const Session& session, double ratio) {
  return file_names::ticket_path(ratio_name(ratio), session.trainer().steps(), session.steps_per_epoch());
}

static bool ends_epoch(const Session& session) {
  return session.trainer().steps() % session.steps_per_epoch() == 0;
}

bool EarlyBirdHook::due(const Session& session) const {
  return session.trainer().steps() % config_.every.in_steps(session.steps_per_epoch()) == 0;
}

// What falls on an epoch's last step waits for the evaluation, which tells how good the dense network is.
void EarlyBirdHook::look(Session& session, bool epoch_end) {
  if (!searching_ || done_ || epoch_end != ends_epoch(session)) return;
  const int64_t step = session.trainer().steps();
  if (due(session)) return check(session);
  if (!search_->told(step)) return;
  search_->move_to(session.epoch(), step);
  decide(session);
}

void EarlyBirdHook::after_step(Session& session) {
  look(session, false);
}

void EarlyBirdHook::after_epoch(Session& session, EpochRecord& epoch) {
  look(session, true);
  epoch.masks = std::move(pending_);
  pending_.clear();
}

void EarlyBirdHook::check(Session& session) {
  const Model& model = session.trainer().model();
  const double start = seconds_now();
  const EarlyBird::Check result = search_->check(model, session.epoch(), session.trainer().steps());
  const double seconds = seconds_now() - start;
  check_seconds_ += seconds;
  session.account("early_bird", seconds);
  ++checks_;
  for (const auto& [ratio, mask] : result.masks) pending_[ratio] = mask;
  for (double ratio : result.emerged) {
    session.note(fmt::format("ticket {} has emerged at {}", ratio_name(ratio), now(session)));
    keep_emerged(session, ratio);
  }
  decide(session);
}

// The draw of another ratio ends the search: what has emerged until then is kept for `compact`. Of a
// control's ratio only the drawn ticket has its random channels.
void EarlyBirdHook::keep_emerged(const Session& session, double ratio) const {
  if (config_.criterion != EarlyBirdConfig::Criterion::bn_gamma) return;
  const Model& dense = session.trainer().model();
  const ClosedTicket closed = close_ticket(search_->draw(dense, ratio), dense, config_.close);
  save_ticket(closed.ticket, dense.graph(), session.run_dir().path() / ticket_path(session, ratio));
}

void EarlyBirdHook::decide(Session& session) {
  using Decision = EarlyBird::Decision;
  switch (search_->decision()) {
    case Decision::keep_searching:
      return;
    case Decision::draw:
      return draw(session, FoundBy::detector);
    case Decision::draw_at:
      return draw(session, FoundBy::draw_at);
    case Decision::draw_at_deadline:
      return draw(session, FoundBy::deadline);
    case Decision::continue_dense:
      session.note("no ticket by the deadline: the dense network trains to the end");
      searching_ = false;
      return;
    case Decision::fail:
      throw Error(errors::no_ticket,
                  fmt::format("ticket {} has not emerged by the deadline", ratio_name(config_.draw)),
                  "a larger early_bird.threshold or a later early_bird.deadline, or early_bird.on_not_found");
  }
}

ClosedTicket EarlyBirdHook::drawn_ticket(const Model& dense) const {
  using Criterion = EarlyBirdConfig::Criterion;
  Ticket ticket = search_->draw(dense, config_.draw);
  if (config_.criterion == Criterion::random)
    ticket.masks = random_ticket(dense.graph(), config_.draw, seed_).masks;
  ClosedTicket closed = close_ticket(std::move(ticket), dense, config_.close);
  if (config_.criterion != Criterion::random_per_layer) return closed;
  // Closed once more only for the padding: the counts already are what closing wants.
  return close_ticket(shuffled_ticket(std::move(closed.ticket), dense.graph(), seed_), dense, config_.close);
}

void EarlyBirdHook::draw(Session& session, FoundBy found_by) {
  searching_ = false;
  DrawRecord& drawn = draw_.emplace();
  drawn.ratio = config_.draw;
  drawn.epoch = session.epoch();
  drawn.step = session.trainer().steps();
  drawn.found_by = name_of(found_by);
  if (session.last_test().total > 0) {  // else no epoch has ended yet
    drawn.dense_test_top1 = session.last_test().top1_accuracy();
    drawn.dense_test_top5 = session.last_test().top5_accuracy();
  }
  session.request_checkpoint();
  follow(session);
}

void EarlyBirdHook::count_channels(const ClosedTicket& closed) {
  draw_->asked = pruned_count(search_->bits(), config_.draw);
  draw_->pruned = closed.ticket.total() - closed.ticket.kept();
  draw_->returned.clear();
  for (const Hold& hold : closed.holds) draw_->returned[hold.why] += hold.returned;
}

// What comes after the decision, as far as the run is to go. Everything it reads is in a checkpoint.
void EarlyBirdHook::follow(Session& session) {
  done_ = until_ == Until::search;
  if (done_) return;
  const Model& dense = session.trainer().model();
  const ClosedTicket closed = drawn_ticket(dense);
  draw_->file = ticket_path(session, config_.draw);
  save_ticket(closed.ticket, dense.graph(), session.run_dir().path() / *draw_->file);
  keep_dense(session);
  session.note(fmt::format("drew {} ({}) at {}", *draw_->file, draw_->found_by.value_or(""), now(session)));
  count_channels(closed);
  if (const std::string words = shortfall(*draw_); !words.empty())
    session.note((*draw_->pruned < 0.9 * static_cast<double>(*draw_->asked) ? "warning: " : "") + words);
  done_ = until_ == Until::draw;
  if (!done_) compact_model(session, closed);
}

// For other tickets of the same search: what is left of the network behind the draw is the one that was
// drawn. A disk without room for it is no reason to stop.
void EarlyBirdHook::keep_dense(Session& session) {
  const std::filesystem::path path = session.run_dir().path() / file_names::dense;
  draw_->dense.reset();
  if (!session.parallel().leads()) return;
  if (!config_.keep_dense) return remove_tree(path);
  const double start = seconds_now();
  try {
    replace_checkpoint(path, session.trainer().steps(), session.network());
    draw_->dense = file_names::dense;
  } catch (const Error& e) {
    if (e.code() != errors::disk_full) throw;
    session.note("warning: the disk is full, the dense network was not kept: " + e.message());
  }
  const double seconds = seconds_now() - start;
  session.account("checkpoint", seconds);
  session.set_aside(seconds);
}

// A batch of noise is enough: the invariant holds for any input.
static double equivalence(Model& masked, Model& compacted) {
  const NoGrad no_grad;
  const Tensor input = noise_images(masked.graph(), 4, masked.compute()).to(masked.device());
  const Tensor a = masked.forward(input, Mode::infer).to(Device::cpu),
               b = compacted.forward(input, Mode::infer).to(Device::cpu);
  double worst = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(double{a.data<float>()[i]} - double{b.data<float>()[i]}));
  return worst;
}

void EarlyBirdHook::compact_model(Session& session, const ClosedTicket& closed) {
  Model& dense = session.trainer().model();
  const double start = seconds_now();
  Model small = compact(dense, closed, config_.momentum);
  draw_->compaction_ms = (seconds_now() - start) * 1e3;
  {
    Model masked = masked_model(dense, closed.ticket);
    draw_->max_abs_difference = equivalence(masked, small);
  }
  if (config_.weights != EarlyBirdConfig::Weights::keep) small = variant(dense, closed);
  const GraphCost before = graph_cost(dense.graph()), after = graph_cost(small.graph());
  session.note(fmt::format("compacted in {:.1f} ms: {} to {} parameters, {:.0f} % of the FLOPs per image",
                           *draw_->compaction_ms, before.params, after.params,
                           100.0 * static_cast<double>(after.flops) / static_cast<double>(before.flops)));
  if (closed.padded)
    session.note(fmt::format("stored with {} zero channels, so that every count is a multiple of {}",
                             closed.padded->kept() - closed.ticket.kept(), config_.close.round_to));
  time_steps(session, small);
  session.replace_model(std::move(small), Phase::retrain);
  trim_allocator(
      session.trainer().model().device());  // blocks of the dense network's sizes are of no use any more
  if (config_.schedule == EarlyBirdConfig::Schedule::restart) session.trainer().restart_schedule();
  session.trainer().set_l1(config_.l1_after ? config_.l1 : 0.f);
  done_ = until_ == Until::compact;
}

// A second, or a hundredth of what the dense network would have taken to the end, if that is less.
void EarlyBirdHook::time_steps(Session& session, const Model& small) {
  const double start = seconds_now();
  const auto copy = [&](const Model& model, Phase phase) {
    Model m = clone(model);
    m.run_like(session.trainer().model());
    Trainer t(std::move(m), session.config(), session.steps_per_epoch());
    t.set_precision(session.config().precision.in(phase));
    return t;
  };
  const PhaseRecord& search = session.phases().back();
  const double step =
      search.train_seconds.value_or(0) / static_cast<double>(std::max<int64_t>(1, search.steps.value_or(0)));
  const double budget = std::min(1.0, 0.01 * step * static_cast<double>(session.trainer().end()));
  try {
    Trainer dense = copy(session.trainer().model(), *search.name), ticket = copy(small, Phase::retrain);
    draw_->steps = time_pairs(dense, ticket, session.config().batch_size, budget);
  } catch (const Error& e) {
    if (e.code() != errors::out_of_memory && e.code() != errors::out_of_device_memory) throw;
    session.note("no memory for both networks at once: how much faster the small one is was not measured");
  }
  session.set_aside(seconds_now() - start);
}

// Re-init: only the structure survives. Rewind: the run's own first weights, drawn (or loaded) again and
// sliced (docs/method.md 2.4).
Model EarlyBirdHook::variant(const Model& dense, const ClosedTicket& closed) const {
  const bool reinit = config_.weights == EarlyBirdConfig::Weights::reinit;
  Model fresh(reinit ? compact_graph(dense.graph(), closed.stored()) : dense.graph(), dense.compute(),
              dense.device());
  initialize(fresh, init_, seed_);
  if (!reinit && first_weights_) first_weights_(fresh);
  if (!reinit) return compact(fresh, closed, MomentumRule::reset);
  zero_padding(fresh, dense.graph(), closed);
  return fresh;
}

// Parameters, their momentum and statistics.
uint64_t EarlyBirdHook::disk_need(const Session& session) const {
  return config_.keep_dense ? session.trainer().model().values().bytes() * 9 / 4 : 0;
}

json EarlyBirdHook::save() const {
  return to_json(
      EarlyBirdState{searching_, done_, draw_, pending_, checks_, check_seconds_, search_->save()});
}

// Nothing that was timed, and not how many masks lie in a history: only the first rank's stays.
std::string EarlyBirdHook::fingerprint() const {
  SearchState search = search_->save();
  for (SearchState::Watched& watched : search.watched) watched.records = 0;
  json drawn;
  if (draw_) drawn = {draw_->step.value_or(0), draw_->file.value_or(""), draw_->pruned.value_or(0)};
  return json{to_json(search), drawn, searching_, done_}.dump();
}

void EarlyBirdHook::load(Session& session, const json& state) {
  EarlyBirdState saved = early_bird_from_json(state);
  start(session, saved.search.bits);  // after compaction the model has fewer
  search_->load(saved.search);
  searching_ = saved.searching;
  draw_ = std::move(saved.draw);
  done_ = draw_ && until_ != Until::end;
  pending_ = std::move(saved.pending);
  checks_ = saved.checks;
  check_seconds_ = saved.check_seconds;
  const bool compacted = session.phases().size() > 1;
  session.trainer().set_l1(compacted && !config_.l1_after ? 0.f : config_.l1);
}

std::string EarlyBirdHook::status() const {
  return searching_ && search_ ? search_->status() : "";
}

}  // namespace eb::pruning
