#include "pruning/early_bird_state.h"

#include <algorithm>

namespace eb::pruning {

using nlohmann::json;

const SearchState::Watched* SearchState::of(double ratio) const {
  const auto found =
      std::find_if(watched.begin(), watched.end(), [&](const Watched& w) { return w.ratio == ratio; });
  return found == watched.end() ? nullptr : &*found;
}

static json to_json(const std::optional<SearchState::Emerged>& found) {
  if (!found) return nullptr;
  return {{"epoch", found->epoch}, {"step", found->step}, {"distances", found->distances}};
}

json to_json(const SearchState& s) {
  json watched = json::array();
  for (const SearchState::Watched& w : s.watched)
    watched.push_back({{"ratio", w.ratio},
                       {"detector", w.detector},
                       {"records", w.records},
                       {"distances", w.distances},
                       {"found", to_json(w.found)}});
  return {{"epoch", s.epoch}, {"step", s.step}, {"bits", s.bits}, {"watched", watched}};
}

json to_json(const EarlyBirdState& s) {
  return {{"searching", s.searching},
          {"done", s.done},
          {"ticket", s.draw ? to_json(*s.draw) : json()},
          {"pending_metrics", to_json(s.pending)},
          {"checks", s.checks},
          {"check_seconds", s.check_seconds},
          {"search", to_json(s.search)}};
}

static std::optional<SearchState::Emerged> emerged_from_json(const json& j) {
  if (j.is_null()) return std::nullopt;
  return SearchState::Emerged{j.at("epoch"), j.at("step"), j.at("distances")};
}

SearchState search_from_json(const json& j) {
  SearchState s{j.at("epoch"), j.at("step"), j.at("bits"), {}};
  for (const json& w : j.at("watched"))
    s.watched.push_back({w.at("ratio"), w.at("detector"), w.at("records"), w.at("distances"),
                         emerged_from_json(w.at("found"))});
  return s;
}

EarlyBirdState early_bird_from_json(const json& j) {
  EarlyBirdState s;
  s.searching = j.at("searching");
  s.done = j.at("done");
  if (const json& draw = j.at("ticket"); !draw.is_null()) s.draw = engine::draw_from_json(draw);
  s.pending = engine::masks_from_json(j.at("pending_metrics"));
  s.checks = j.at("checks");
  s.check_seconds = j.at("check_seconds");
  s.search = search_from_json(j.at("search"));
  return s;
}

std::optional<EarlyBirdState> saved_early_bird(const json& checkpoint_state) {
  const json& hooks = engine::lenient::value(checkpoint_state, "hooks");
  // Older checkpoints list the one hook there was.
  const json& saved =
      hooks.is_array() && !hooks.empty() ? hooks[0] : engine::lenient::value(hooks, "early_bird");
  if (!saved.is_object()) return std::nullopt;
  try {
    return early_bird_from_json(saved);
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace eb::pruning
