// What 8 bit costs and saves, as the session sees it: how many numbers each quantiser clamped or rounded to
// zero (metrics.jsonl, by layer), and operations and bytes of each phase (summary.json).
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/run/session.h"

namespace eb::quant {

class BlockMetrics : public engine::SessionHook {
 public:
  const char* name() const override { return "blocks"; }
  void before_run(engine::Session& session) override { session_ = &session; }
  void after_step(engine::Session& session) override;
  // Before any hook that replaces the model: the counts go with it.
  void after_epoch(engine::Session& session, engine::EpochRecord& epoch) override;
  void before_checkpoint(const engine::Session& session) override;
  nlohmann::json save() const override;  // the counts of an epoch under way
  void load(engine::Session& session, const nlohmann::json& state) override;
  void summarize(const engine::Session& session, engine::RunSummary& summary) const override;

 private:
  const engine::Session* session_ = nullptr;
  // Where the counts began: of the phase at hand, whose model they belong to.
  int64_t counted_phases_ = 0, counted_samples_ = 0, counted_steps_ = 0;
  std::vector<engine::PhaseFormat> phases_;       // so far
  std::vector<engine::Quantize::Counts> counts_;  // of all ranks, for a checkpoint
};

}  // namespace eb::quant
