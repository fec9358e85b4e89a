// The Early-Bird pipeline as the session sees it: after an epoch (or every N steps) masks are drawn and
// compared; when the ticket has emerged it is drawn, the network is compacted inside the running process, and
// the next step trains the small one. State goes into every checkpoint, so a run killed anywhere around the
// draw repeats itself.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/run/session.h"
#include "pruning/early_bird.h"
#include "pruning/found_by.h"

namespace eb::pruning {

class EarlyBirdHook : public engine::SessionHook {
 public:
  enum class Until : uint8_t { search, draw, compact, end };

  EarlyBirdHook(EarlyBirdConfig config, engine::InitConfig init, uint64_t seed, Until until);

  // Of a run that did not start from random weights: gives them to a model again, for "rewind".
  void set_first_weights(std::function<void(engine::Model&)> load) { first_weights_ = std::move(load); }

  const char* name() const override { return "early_bird"; }
  void before_run(engine::Session& session) override;
  void before_going_on(engine::Session& session) override;
  void after_step(engine::Session& session) override;
  void after_epoch(engine::Session& session, engine::EpochRecord& epoch) override;
  bool enabled() const { return config_.enabled; }
  bool wants_stop() const override { return done_; }
  std::string fingerprint() const override;
  nlohmann::json save() const override;
  void load(engine::Session& session, const nlohmann::json& state) override;
  uint64_t disk_need(const engine::Session& session) const override;
  void summarize(const engine::Session& session, engine::RunSummary& summary) const override;
  std::string status() const override;

 private:
  void look(engine::Session& session, bool epoch_end);
  bool due(const engine::Session& session) const;
  void start(engine::Session& session, int64_t bits);
  void check(engine::Session& session);
  void decide(engine::Session& session);
  void draw(engine::Session& session, FoundBy found_by);
  void follow(engine::Session& session);
  void count_channels(const ClosedTicket& closed);
  engine::NetworkRecord dense_network(const engine::Session& session) const;
  ClosedTicket drawn_ticket(const engine::Model& dense) const;
  void keep_emerged(const engine::Session& session, double ratio) const;
  void keep_dense(engine::Session& session);
  void compact_model(engine::Session& session, const ClosedTicket& closed);
  void time_steps(engine::Session& session, const engine::Model& small);
  engine::Model variant(const engine::Model& dense, const ClosedTicket& closed) const;

  EarlyBirdConfig config_;
  engine::InitConfig init_;
  uint64_t seed_;
  Until until_;
  std::function<void(engine::Model&)> first_weights_;
  std::unique_ptr<EarlyBird> search_;
  bool searching_ = true, done_ = false;
  int64_t checks_ = 0;
  double check_seconds_ = 0;
  std::optional<engine::DrawRecord> draw_;  // none until then
  engine::MaskChecks pending_;              // of checks between two epoch lines
};

constexpr auto enum_names(EarlyBirdHook::Until) {
  return engine::names("search", "draw", "compact", "end");
}

}  // namespace eb::pruning
