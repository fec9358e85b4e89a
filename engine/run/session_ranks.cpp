// What the sessions of several ranks tell each other beside gradients: wishes, bad samples, and that they are
// the same.
#include <bit>
#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/fault.h"
#include "engine/base/stop_signal.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint_parts.h"
#include "engine/run/session.h"

namespace eb::engine {

using nlohmann::json;

// What one rank wants, all do, and at the same step: a stop, or a checkpoint by the first one's clock.
void Session::agree(bool wait) {
  const double since = seconds_now() - last_checkpoint_time_;
  const World::Wish mine{.stop = stop_signal_received(),
                         .checkpoint = parallel_.leads() && config_.checkpoint_every_minutes > 0 &&
                                       since > 60 * config_.checkpoint_every_minutes};
  World::Wish all = mine;
  if (parallel_.ranks() > 1) {
    if (!wait && trainer_.steps() % config_.agree_every != 0) return;
    all = wait ? parallel_.world->agree_now(mine) : parallel_.world->agree(mine).value_or(World::Wish{});
  }
  stop_ = stop_ || all.stop;
  checkpoint_requested_ = checkpoint_requested_ || all.checkpoint;
}

static std::string hash_of(const Tensor& t) {
  const Tensor host = t.to(Device::cpu);
  return content_hash({host.data<char>(), host.bytes()});
}

void Session::require_same_state(const std::string& when) {
  if (parallel_.ranks() == 1) return;
  const Model& model = trainer_.model();
  if (fault::of_rank("flip", "momentum", parallel_.rank())) {
    const uint32_t other = std::bit_cast<uint32_t>(model.momentum().item<float>()) ^ 1u;
    kernels::memory(model.device()).to_device(model.momentum().raw(), &other, sizeof other);
  }
  std::vector<std::pair<std::string, std::string>> parts = {
      {"step", std::to_string(trainer_.steps())},
      {"network", content_hash(to_json(model.graph()).dump())},
      {"values", hash_of(model.values())},
      {"momentum", hash_of(model.momentum())},
      {"running statistics", hash_of(model.statistics())}};
  for (const SessionHook* hook : hooks_)
    if (const std::string state = hook->fingerprint(); !state.empty())
      parts.emplace_back(hook->name(), content_hash(state));
  parallel_.world->same(when, parts);
}

// The lists of all ranks, one after the other; every rank calls it.
static json joined(const json& mine, const DataParallel& parallel) {
  if (parallel.ranks() == 1) return mine;
  json all = json::array();
  for (const std::string& of_rank : parallel.world->all_gather(mine.dump()))
    for (const json& entry : json::parse(of_rank)) all.push_back(entry);
  return all;
}

// All ranks name all of them.
void Session::share_bad_samples() {
  if (parallel_.ranks() == 1) return;
  for (const json& bad : joined(bad_samples(), parallel_)) bad_before_.insert(bad.get<std::string>());
}

// None for a step whose results were good: its update was not.
json Session::samples_of_step(int64_t step) {
  return joined(unread_[step], parallel_);
}

// "" where no loss was bad, or nothing is sharded.
std::string Session::bad_shard() const {
  if (!epoch_sum_.bad_shard || !parallel_.sharded()) return "";
  const int64_t per_rank = parallel_.here().size(), rank = *epoch_sum_.bad_shard / per_rank;
  return "; the loss of shard " + std::to_string(*epoch_sum_.bad_shard) + " of " +
         std::to_string(parallel_.shards) + " is not" +
         (parallel_.ranks() == 1 ? ""
                                 : ", which is rank " + std::to_string(rank) + "'s on " +
                                       parallel_.world->host(static_cast<int>(rank)));
}

}  // namespace eb::engine
