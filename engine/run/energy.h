// Energy of the CPU packages by RAPL (Linux powercap) and of a card by its own counter: the sum of those that
// can be read when the meter is made. Where none can there is no number: "not measured" is an answer, 0 is a
// lie. The machine's memory, disks and the power supply's losses are not in it.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace eb::engine {

class EnergyMeter {
 public:
  static constexpr const char* system = "/sys/class/powercap";
  // Joules since a moment before the meter; nothing if they cannot be told (kernels/card_energy.h).
  using Card = std::function<std::optional<double>()>;
  // From the counters below `powercap`; an empty path measures no CPU, an empty `card` no card.
  explicit EnergyMeter(const std::filesystem::path& powercap = system, Card card = {});
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;
  // Joules since the last lap (or the construction); nothing if any package, or the card, could not be read
  // meanwhile.
  std::optional<double> lap();
  // What is in the number: "rapl", "nvml", "rapl+nvml"; empty if nothing is.
  const std::string& method() const { return method_; }
  // Reads the counters. A thread calls it every 20 s, because they wrap around within minutes under load.
  void sample();

 private:
  struct Package {
    std::filesystem::path energy_file;
    uint64_t range = 0, last = 0;  // microjoules
  };
  std::optional<double> card_lap();

  Card card_;
  std::optional<double> card_last_;  // the last answer; nothing if there was none
  std::string method_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<Package> packages_;
  bool readable_ = false;
  double joules_ = 0;
  std::thread sampler_;
};

}  // namespace eb::engine
