// Energy of the CPU packages by RAPL (Linux powercap). Where it cannot be read there is no number: "not
// measured" is an answer, 0 is a lie. Memory, disks and the power supply's losses are not in it.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace eb::engine {

class EnergyMeter {
 public:
  static constexpr const char* system = "/sys/class/powercap";
  // From the counters below `powercap`; an empty path measures nothing.
  explicit EnergyMeter(const std::filesystem::path& powercap = system);
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;
  // Joules since the last lap (or the construction); nothing if any package could not be read meanwhile.
  std::optional<double> lap();
  // Reads the counters. A thread calls it every 20 s, because they wrap around within minutes under load.
  void sample();

 private:
  struct Package {
    std::filesystem::path energy_file;
    uint64_t range = 0, last = 0;  // microjoules
  };
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<Package> packages_;
  bool readable_ = false;
  double joules_ = 0;
  std::thread sampler_;
};

}  // namespace eb::engine
