// When has a ticket emerged? Host logic over the last few masks (docs/method.md 3). The caller does not push
// the mask of the untrained network, whose scales are equal: it says nothing and would only block the window.
#pragma once
#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "engine/base/enum_names.h"

namespace eb::pruning {

class EarlyBirdDetector {
 public:
  enum class Compare : uint8_t {
    newest_vs_window,  // the reference's code: the newest mask against each other one in the window
    consecutive,       // the paper's text: the distances between neighbours
  };
  struct Config {
    int64_t window = 5;  // masks
    double threshold = 0.1;
    Compare compare = Compare::newest_vs_window;
  };
  struct Verdict {
    std::vector<double> distances;  // Hamming distance / bits, oldest first; empty for the first mask
    bool emerged = false;           // the window is full and no distance is above the threshold
  };

  EarlyBirdDetector(const Config& config, int64_t bits) : config_(config), bits_(bits) {}
  // mask: packed, ceil(bits / 64) words. differing: its distance in bits from each mask of to_compare(),
  // where the kernel that drew it has counted them already.
  Verdict push(std::vector<uint64_t> mask, const std::vector<int64_t>& differing = {});
  // The masks that a mask pushed now is compared with, oldest first.
  std::vector<const std::vector<uint64_t>*> to_compare() const;

  nlohmann::json save() const;
  void load(const nlohmann::json& state);  // Error 4040 if it is not a window of this detector

 private:
  double distance(const std::vector<uint64_t>& a, const std::vector<uint64_t>& b) const;
  double share(int64_t differing) const {
    return static_cast<double>(differing) / static_cast<double>(bits_);
  }
  Config config_;
  int64_t bits_;
  std::deque<std::vector<uint64_t>> window_;
};
constexpr auto enum_names(EarlyBirdDetector::Compare) {
  return engine::names("newest_vs_window", "consecutive");
}

}  // namespace eb::pruning
