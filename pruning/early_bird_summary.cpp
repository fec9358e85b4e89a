// What EarlyBirdHook adds to a run's summary: the search, and the two networks beside each other.
#include <fmt/format.h>

#include "engine/run/names.h"
#include "pruning/early_bird_hook.h"

namespace eb::pruning {

using namespace engine;

static std::string busy_words(const PhaseRecord& phase, double step_seconds) {
  const Number factor = misfit(phase.train_seconds, phase.steps, step_seconds);
  if (!factor) return "";
  return fmt::format("steps of the {} took {:.2f} times what they took at the draw", name_of(*phase.name),
                     *factor);
}

// Accuracy is measured at the ends of epochs.
static std::string dense_accuracy_note(const DrawRecord& draw, int64_t steps_per_epoch) {
  const std::string at = moment(*draw.step, steps_per_epoch);
  if (!draw.dense_test_top1) return fmt::format("dense: no epoch had ended at the draw, {}", at);
  if (*draw.step % steps_per_epoch == 0) return fmt::format("dense: at the draw, {}", at);
  return fmt::format("dense: of epoch {}, the last before the draw at {}", *draw.epoch, at);
}

// As it would have been, had it been trained to the end: that many steps of the time that one took at the
// draw, beside one of the ticket.
NetworkRecord EarlyBirdHook::dense_network(const Session& session) const {
  const PhaseRecord& search = session.phases()[0];
  const double samples = static_cast<double>(session.trainer().end() - session.trainer().schedule_start()) *
                         static_cast<double>(*search.samples) / static_cast<double>(*search.steps);
  NetworkRecord dense;
  dense.test_top1 = draw_->dense_test_top1;
  dense.test_top5 = draw_->dense_test_top5;
  dense.test_top1_note = dense_accuracy_note(*draw_, session.steps_per_epoch());
  dense.params = search.params;
  dense.flops_per_image = search.flops_per_image;
  dense.training_flops = 3.0 * samples * static_cast<double>(*search.flops_per_image);
  if (draw_->steps) {
    const std::string busy[] = {busy_words(search, draw_->steps->dense_seconds),
                                busy_words(session.phases()[1], draw_->steps->ticket_seconds)};
    const std::string& why = busy[0].empty() ? busy[1] : busy[0];
    if (why.empty())
      dense.seconds = draw_->steps->dense_seconds *
                      static_cast<double>(session.trainer().end() - session.trainer().schedule_start());
    dense.seconds_note = why.empty() ? "dense: all steps at the time one took beside the ticket's"
                                     : "the machine was busy: " + why;
  }
  dense.images_per_s = search.images_per_s().value_or(0);
  return dense;
}

void EarlyBirdHook::summarize(const Session& session, RunSummary& s) const {
  s.search = search_->summary();
  if (checks_) s.search->ms_per_check = 1e3 * check_seconds_ / static_cast<double>(checks_);
  s.search->draw = draw_;
  for (const auto& [ratio, step] : s.search->steps) {
    const std::string file = step ? file_names::ticket_path(ratio, *step, session.steps_per_epoch()) : "";
    std::error_code none;  // earlier versions kept the drawn one only
    if (step && std::filesystem::exists(session.run_dir().path() / file, none))
      s.search->tickets[ratio] = file;
  }
  if (session.phases().size() < 2) return;
  s.ticket = s.dense;  // the session's own view: the network that finished the run
  s.ticket->ratio = draw_->ratio;
  s.max_abs_difference = draw_->max_abs_difference;
  s.dense = dense_network(session);
  const PhaseRecord &search = session.phases()[0], &retrain = session.phases()[1];
  SpeedupRecord& speedup = s.speedup.emplace();
  speedup.counted =
      static_cast<double>(*search.flops_per_image) / static_cast<double>(*retrain.flops_per_image);
  if (const auto& steps = draw_->steps) {
    speedup.measured = steps->ratio;
    speedup.least = steps->least, speedup.most = steps->most;
    speedup.pairs = steps->pairs;
  }
}

}  // namespace eb::pruning
