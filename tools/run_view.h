// A run directory as somebody who watches it sees it, while another process writes it: nothing here locks or
// changes anything, and what is damaged or missing is left out.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace eb::tools {

struct RunView {
  std::string name, phase;              // safe to print
  std::vector<nlohmann::json> epochs;   // lines of metrics.jsonl at the ends of epochs
  std::vector<nlohmann::json> batches;  // and within them
  int64_t damaged = 0;                  // lines that are neither
  int64_t step = 0, end_step = 0;       // end 0: not known yet
  std::optional<double> seconds_left, threshold;
  std::optional<double> silent_seconds;  // since the last sign of life
  std::optional<int> exit_code;
  bool gone = false;  // without an exit code, and the process is not there any more
  bool ended() const { return gone || exit_code.has_value(); }
  std::string ending() const;  // "finished"
};

class RunReader {
 public:
  explicit RunReader(std::filesystem::path run);  // Error 4024 if it is no run directory
  const RunView& read();                          // as it is now

 private:
  void read_metrics();
  void read_status();
  std::filesystem::path run_;
  nlohmann::json config_;
  std::pair<uintmax_t, std::filesystem::file_time_type> seen_{};  // size and time of metrics.jsonl
  RunView view_;
};

// Of a line of metrics.jsonl; empty if it has none or null.
std::optional<double> number(const nlohmann::json& line, const std::string& key);

}  // namespace eb::tools
