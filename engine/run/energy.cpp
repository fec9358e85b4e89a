#include "engine/run/energy.h"

#include <chrono>
#include <fstream>
#include <string>
#include <utility>

namespace eb::engine {

namespace fs = std::filesystem;

static std::optional<uint64_t> read_counter(const fs::path& file) {
  std::ifstream in(file);
  uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

// "intel-rapl:0" named "package-0" is a whole socket (AMD's too); "intel-rapl:0:1" is a part of it, "psys"
// the platform, and "intel-rapl-mmio:0" the same socket again.
static bool is_package(const fs::path& zone) {
  const std::string name = zone.filename().string(), prefix = "intel-rapl:";
  if (name.rfind(prefix, 0) != 0 || name.find(':', prefix.size()) != std::string::npos) return false;
  std::string label;
  std::ifstream(zone / "name") >> label;
  return label.rfind("package", 0) == 0;
}

EnergyMeter::EnergyMeter(const fs::path& powercap, Card card) {
  if (card) card_last_ = card();
  if (card_last_) card_ = std::move(card);
  method_ = card_ ? "nvml" : "";
  std::error_code error;
  for (fs::directory_iterator it(powercap, error), end; !error && it != end; it.increment(error)) {
    if (!is_package(it->path())) continue;
    const auto range = read_counter(it->path() / "max_energy_range_uj");
    const auto now = read_counter(it->path() / "energy_uj");
    if (!range || !now) {  // half of the machine is not the machine
      packages_.clear();
      return;
    }
    packages_.push_back({it->path() / "energy_uj", *range, *now});
  }
  readable_ = !packages_.empty();
  if (!readable_) return;
  method_ = card_ ? "rapl+nvml" : "rapl";
  sampler_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::seconds(20), [this] { return stop_; })) {
      lock.unlock();
      sample();
      lock.lock();
    }
  });
}

EnergyMeter::~EnergyMeter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (sampler_.joinable()) sampler_.join();
}

void EnergyMeter::sample() {
  const std::lock_guard lock(mutex_);
  if (!readable_) return;
  for (Package& p : packages_) {
    const auto now = read_counter(p.energy_file);
    readable_ = readable_ && now.has_value() && *now <= p.range;
    if (!readable_) return;
    const uint64_t used = *now >= p.last ? *now - p.last : p.range - p.last + *now;
    joules_ += 1e-6 * static_cast<double>(used);
    p.last = *now;
  }
}

// A lap is known between two answers: after a gap, or a counter that went back, from the next lap on.
std::optional<double> EnergyMeter::card_lap() {
  const auto before = std::exchange(card_last_, card_());
  if (!before || !card_last_ || *card_last_ < *before) return std::nullopt;
  return *card_last_ - *before;
}

std::optional<double> EnergyMeter::lap() {
  sample();
  const auto of_card = card_ ? card_lap() : std::optional(0.0);
  const std::lock_guard lock(mutex_);
  const double joules = joules_;
  joules_ = 0;
  const bool of_cpu = packages_.empty() || readable_;
  if (method_.empty() || !of_cpu || !of_card) return std::nullopt;
  return joules + *of_card;
}

}  // namespace eb::engine
