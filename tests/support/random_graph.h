// Graphs that nobody would think of: every op, branches, adds, selects, groups, linears and batch norms in
// any place. Built from choices, so that a seed gives one to a test and libFuzzer's bytes give one to a fuzz
// target.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>

namespace eb::test {

class Choices {
 public:
  explicit Choices(uint64_t seed) : state_(seed) {}
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes), from_bytes_(true) {}
  int64_t below(int64_t n);  // 0 .. n - 1; 0 where the bytes are used up
  bool one_in(int64_t n) { return below(n) == n - 1; }

 private:
  uint64_t state_ = 0;
  std::span<const uint8_t> bytes_;
  bool from_bytes_ = false;
};

// As graph_from_json reads it, and without a fault: at least one batch norm, an output of (1, 1, classes). Of
// images of 3 * size * size and with names that PyTorch's modules can have, or of small ones of any shape.
nlohmann::json random_graph(Choices& choices, int64_t classes = 4, int64_t size = 0);

}  // namespace eb::test
