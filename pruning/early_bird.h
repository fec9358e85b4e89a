// The search for a ticket as a state machine: at every check the masks of all watched ratios are drawn and
// compared with the ones before; the first time a ratio's ticket emerges is remembered. Nothing here touches
// the model.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/duration.h"
#include "pruning/close.h"
#include "pruning/compact.h"
#include "pruning/detector.h"
#include "pruning/early_bird_state.h"
#include "pruning/mask_drawer.h"
#include "pruning/mask_history.h"

namespace eb::engine {
class Config;
}

namespace eb::pruning {

struct EarlyBirdConfig {
  enum class OnNotFound : uint8_t { draw_at_deadline, continue_dense, fail };
  enum class Weights : uint8_t { keep, reinit, rewind };
  // bn_gamma: the channels with the largest |gamma|. The others are controls, whose channels are random:
  // any (random), or as many in every layer as bn_gamma keeps (random_per_layer).
  enum class Criterion : uint8_t { bn_gamma, random, random_per_layer };
  enum class Schedule : uint8_t { go_on, restart };  // of the learning rate, after compaction
  bool enabled = true;
  float l1 = 1e-4f;
  std::vector<double> watch;  // ascending, holds `draw`
  double draw = 0.5;
  Criterion criterion = Criterion::bn_gamma;
  Rule rule = Rule::exact_k;
  Merge merge = Merge::mean;
  EarlyBirdDetector::Config detector;
  engine::Duration every{engine::Duration::Unit::epochs, 1};
  std::optional<engine::Duration> deadline;  // unset: half of the run to draw there, else its end
  OnNotFound on_not_found = OnNotFound::draw_at_deadline;
  std::optional<engine::Duration> draw_at;  // set: the detector only watches
  CloseConfig close;
  MomentumRule momentum = MomentumRule::carry;
  Weights weights = Weights::keep;
  Schedule schedule = Schedule::go_on;
  bool l1_after = true;
  bool keep_dense = true;  // a checkpoint of the network that the ticket was drawn from
};
constexpr auto enum_names(EarlyBirdConfig::OnNotFound) {
  return engine::names("draw_at_deadline", "continue_dense", "fail");
}
constexpr auto enum_names(EarlyBirdConfig::Weights) {
  return engine::names("keep", "reinit", "rewind");
}
constexpr auto enum_names(EarlyBirdConfig::Criterion) {
  return engine::names("bn_gamma", "random", "random_per_layer");
}
constexpr auto enum_names(EarlyBirdConfig::Schedule) {
  return engine::names("continue", "restart");
}

EarlyBirdConfig early_bird_config(const engine::Config& config);
// For a run on the device. On a card, where cuda.pad_channels allows it, a ticket whose counts nothing rounds
// (round_to 1) is stored with counts in eights: the ticket is as drawn, the kernels copy 16 bytes at a time.
EarlyBirdConfig early_bird_config(const engine::Config& config, engine::Device device);

// 0.3 -> "p30"
std::string ratio_name(double ratio);

class EarlyBird {
 public:
  enum class Decision : uint8_t { keep_searching, draw, draw_at, draw_at_deadline, continue_dense, fail };

  struct Check {
    engine::MaskChecks masks;     // by the ratio's name
    std::vector<double> emerged;  // ratios whose ticket emerged at this check
  };

  // bits: channels that have a score (see bn_scores). masks: where pXX.bits go. Steps decide the deadline.
  EarlyBird(const EarlyBirdConfig& config, int64_t bits, std::filesystem::path masks, int64_t steps_per_epoch,
            int64_t total_steps);

  // Error 7002 if a scale is NaN.
  Check check(const engine::Model& model, int64_t epoch, int64_t step);
  // Whether the config names this step as early_bird.draw_at or deadline. Where no mask is due there,
  // `move_to` takes the search there without one, and decision() says what is to be done.
  bool told(int64_t step) const { return step == draw_at_step_.value_or(deadline_step_); }
  void move_to(int64_t epoch, int64_t step) { epoch_ = epoch, step_ = step; }
  Decision decision() const;
  Ticket draw(const engine::Model& model, double ratio) const;  // of a watched one, from the model as it is
  std::string status() const;                                   // for the progress line
  engine::SearchRecord summary() const;                         // but for what the hook knows

  SearchState save() const;
  void load(const SearchState& state);  // Error 4040 if it is another search's
  int64_t bits() const { return bits_; }

 private:
  struct Watched {
    double ratio;
    EarlyBirdDetector detector;
    std::unique_ptr<MaskHistory> history;  // opened by the first check, or by load
    std::vector<double> distances;         // of the last check
    std::optional<SearchState::Emerged> found = {};
  };
  const Watched& of(double ratio) const;
  const Watched& drawn() const { return of(config_.draw); }
  std::filesystem::path history_path(double ratio) const;
  bool deadline_reached() const;

  EarlyBirdConfig config_;
  std::filesystem::path masks_;
  int64_t bits_, deadline_step_, epoch_ = 0, step_ = 0;
  std::optional<int64_t> draw_at_step_;
  std::vector<Watched> watched_;
  std::unique_ptr<MaskDrawer> drawer_;  // of the model under search; made by the first check
};

}  // namespace eb::pruning
