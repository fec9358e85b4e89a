#include "pruning/detector.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "kernels/topk_mask.h"

namespace eb::pruning {

double EarlyBirdDetector::distance(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) const {
  const auto& kernel = kernels::topk_mask(kernels::Device::cpu);
  return static_cast<double>(kernel.hamming(bits_, a.data(), b.data())) / static_cast<double>(bits_);
}

EarlyBirdDetector::Verdict EarlyBirdDetector::push(std::vector<uint64_t> mask) {
  window_.push_back(std::move(mask));
  if (static_cast<int64_t>(window_.size()) > config_.window) window_.pop_front();
  Verdict v;
  for (size_t i = 0; i + 1 < window_.size(); ++i) {
    const auto& other = config_.compare == Compare::consecutive ? window_[i + 1] : window_.back();
    v.distances.push_back(distance(window_[i], other));
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
  if (!fits) throw Error(4040, "the saved masks are not of this network or this early_bird.window");
  window_ = window;
}

}  // namespace eb::pruning
