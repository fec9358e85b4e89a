#include "pruning/detector.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "kernels/topk_mask.h"

namespace eb::pruning {

double EarlyBirdDetector::distance(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) const {
  const auto& kernel = kernels::topk_mask(kernels::Device::cpu);
  return share(kernel.hamming(bits_, a.data(), b.data()));
}

std::vector<const std::vector<uint64_t>*> EarlyBirdDetector::to_compare() const {
  std::vector<const std::vector<uint64_t>*> masks;
  if (config_.compare == Compare::consecutive) return masks;
  const bool full = static_cast<int64_t>(window_.size()) == config_.window;
  for (size_t i = full ? 1 : 0; i < window_.size(); ++i) masks.push_back(&window_[i]);
  return masks;
}

EarlyBirdDetector::Verdict EarlyBirdDetector::push(std::vector<uint64_t> mask,
                                                   const std::vector<int64_t>& differing) {
  window_.push_back(std::move(mask));
  if (static_cast<int64_t>(window_.size()) > config_.window) window_.pop_front();
  Verdict v;
  for (size_t i = 0; i + 1 < window_.size(); ++i) {
    const auto& other = config_.compare == Compare::consecutive ? window_[i + 1] : window_.back();
    v.distances.push_back(i < differing.size() ? share(differing[i]) : distance(window_[i], other));
  }
  v.emerged =
      static_cast<int64_t>(window_.size()) == config_.window &&
      std::all_of(v.distances.begin(), v.distances.end(), [&](double d) { return d <= config_.threshold; });
  return v;
}

nlohmann::json EarlyBirdDetector::save() const {
  return {{"bits", bits_}, {"window", window_}};
}

void EarlyBirdDetector::load(const nlohmann::json& state) {
  const auto words = static_cast<size_t>((bits_ + 63) / 64);
  const auto window = state.at("window").get<std::deque<std::vector<uint64_t>>>();
  const bool fits =
      state.at("bits") == bits_ && static_cast<int64_t>(window.size()) <= config_.window &&
      std::all_of(window.begin(), window.end(), [&](const auto& m) { return m.size() == words; });
  if (!fits)
    throw Error(errors::search_state, "the saved masks are not of this network or this early_bird.window");
  window_ = window;
}

}  // namespace eb::pruning
