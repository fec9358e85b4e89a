// A run directory as somebody who watches it sees it, while another process writes it: nothing here keeps a
// lock or changes anything, and what is damaged or missing is left out.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/record/run_status.h"

namespace eb::tools {

struct RunView {
  std::string name, phase;                   // safe to print
  std::vector<engine::EpochRecord> epochs;   // sound lines of metrics.jsonl at the ends of epochs
  std::vector<engine::BatchRecord> batches;  // and within them
  int64_t damaged = 0;                       // lines that are neither
  int64_t step = 0, end_step = 0;            // end 0: not known yet
  std::optional<double> seconds_left, threshold;
  std::optional<double> silent_seconds;  // since the last sign of life
  RunState state;
  bool ended() const { return state.name != RunState::Name::running; }
  std::string ending() const;  // "finished"
};

class RunReader {
 public:
  explicit RunReader(std::filesystem::path run);  // Error 4070 if it is no run directory
  const RunView& read();                          // as it is now

 private:
  void read_metrics();
  void read_status(bool locked);
  std::filesystem::path run_;
  nlohmann::json config_;
  std::pair<uintmax_t, std::filesystem::file_time_type> seen_{};  // size and time of metrics.jsonl
  RunView view_;
};

}  // namespace eb::tools
