#include "tools/doctor/cards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <regex>

#include "engine/base/text.h"
#include "kernels/built_targets.h"
#include "kernels/device_error.h"
#include "kernels/device_info.h"
#include "kernels/device_problem.h"
#include "kernels/library_error.h"
#include "tools/doctor/nvml.h"

namespace eb::tools {

namespace {

constexpr int least_sm = 80;  // of our kernels: mma.sync with bf16 and cp.async

// Display and 3D controllers of NVIDIA: its vendor number, and a class of 0x03.
int cards_on_bus(const fs::path& root) {
  int count = 0;
  std::error_code none;
  for (const auto& device : fs::directory_iterator(root / "sys/bus/pci/devices", none))
    count += first_line_of(device.path() / "vendor") == "0x10de" &&
             first_line_of(device.path() / "class").starts_with("0x03");
  return count;
}

// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul ..."
std::string loaded_driver(const fs::path& root) {
  static const std::regex version(R"(\s(\d+\.\d+(\.\d+)?)\s)");
  const std::string line = first_line_of(root / "proc/driver/nvidia/version");
  std::smatch found;
  return std::regex_search(line, found, version) ? found[1].str() : "";
}

int numa_nodes(const fs::path& root) {
  int count = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(root / "sys/devices/system/node", none))
    count += std::regex_match(entry.path().filename().string(), std::regex("node\\d+"));
  return count;
}

std::optional<int> numa_of(const fs::path& root, const std::string& pci) {
  const std::string text = first_line_of(root / "sys/bus/pci/devices" / pci / "numa_node");
  int node = -1;
  std::from_chars(text.data(), text.data() + text.size(), node);
  return node < 0 ? std::nullopt : std::optional(node);  // the kernel's -1: not known
}

void start_cuda(CardFacts& facts) {
  facts.started = true;
  try {
    const kernels::DeviceInfo info = kernels::cuda_info();
    facts.started_on = info.name;
    facts.no_start = info.problem;
    if (facts.cuda.empty()) facts.cuda = info.driver;
  } catch (const kernels::DeviceError& e) {
    facts.no_start = e.what();
  }
}

Line driver_line(const CardFacts& f) {
  if (f.driver.empty()) {
    if (f.on_bus == 0) return ok("driver", "no NVIDIA card, so none is needed");
    const std::string saw = fmt::format("{} NVIDIA card(s) on the bus, but no driver", f.on_bus);
    const auto trouble = f.targets.empty() ? warning : problem;
    return trouble(
        "driver", saw,
        "install NVIDIA's driver (in a container: its container toolkit and docker run --gpus all)");
  }
  std::string saw = "NVIDIA " + f.driver;
  if (!f.cuda.empty()) saw += ", for CUDA up to " + f.cuda;
  if (!f.visible.empty()) saw += "; CUDA_VISIBLE_DEVICES is " + engine::quote(f.visible);
  return ok("driver", saw);
}

// By starting it: the fabric manager, exclusive modes and broken cards show nowhere else.
Line cuda_line(const CardFacts& f) {
  if (f.no_start.empty()) return ok("CUDA", "starts on " + f.started_on);
  return problem("CUDA", f.no_start, "as it says; --device cpu works without");
}

Line card_line(const CardFacts& f, size_t index) {
  const Card& card = f.cards[index];
  const std::string name = fmt::format("card {}", index);
  const std::string saw = fmt::format("{}, sm_{}, {}, {}", engine::printable(card.name), card.sm,
                                      size_text(card.memory), card.pci);
  if (card.sm < least_sm)
    return warning(name, fmt::format("{}: the kernels need sm_{} or newer", saw, least_sm),
                   "leave it out with CUDA_VISIBLE_DEVICES");
  if (f.targets.empty())
    return warning(name, saw + ": this build has no CUDA kernels",
                   "with nvcc on PATH, EB_CUDA=ON ./tools/run ... in a new folder");
  if (!has_code_for(f.targets, card.sm))
    return problem(name, saw + ": this build has code for " + kernels::target_names(f.targets) + " alone",
                   "build for this card: EB_CUDA=ON ./tools/run ... in a new folder");
  return ok(name, saw + ": this build has code for it");
}

}  // namespace

CardFacts read_cards(const fs::path& root, const std::vector<std::string>& nvml) {
  CardFacts facts{.on_bus = cards_on_bus(root),
                  .driver = loaded_driver(root),
                  .targets = kernels::built::cuda_targets,
                  .numa_nodes = numa_nodes(root)};
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) facts.visible = visible;
  try {
    NvmlFacts found = read_nvml(nvml);
    facts.cards = std::move(found.cards);
    facts.cuda = found.cuda;
    if (facts.driver.empty()) facts.driver = found.driver;
  } catch (const kernels::LibraryError& e) {
    facts.no_nvml = e.what();
  }
  for (Card& card : facts.cards) card.numa = numa_of(root, card.pci);
  if (!facts.targets.empty() && !facts.driver.empty()) start_cuda(facts);
  return facts;
}

bool has_code_for(std::string_view targets, int sm) {
  while (!targets.empty()) {
    std::string_view one = targets.substr(0, targets.find(';'));
    targets.remove_prefix(std::min(targets.size(), one.size() + 1));
    int made_for = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), made_for);
    if (error != std::errc()) continue;
    one.remove_prefix(static_cast<size_t>(end - one.data()));  // "", "a", "-real", "a-virtual"
    const bool this_card_alone = one.starts_with("a"),
               later_too = !one.ends_with("-real") && !one.starts_with("f");
    if (this_card_alone ? sm == made_for : sm >= made_for && (later_too || sm / 10 == made_for / 10))
      return true;
  }
  return false;
}

std::vector<Line> card_lines(const CardFacts& f) {
  std::vector<Line> lines = {driver_line(f)};
  if (f.started) lines.push_back(cuda_line(f));
  for (size_t i = 0; i < f.cards.size(); ++i) lines.push_back(card_line(f, i));
  return lines;
}

Line numa_line(const CardFacts& f) {
  std::string saw = fmt::format("{} node(s)", f.numa_nodes);
  bool unknown = false;
  for (size_t i = 0; i < f.cards.size(); ++i) {
    saw += fmt::format(", card {} near {}", i,
                       f.cards[i].numa ? fmt::format("node {}", *f.cards[i].numa) : "an unknown one");
    unknown = unknown || !f.cards[i].numa;
  }
  if (unknown && f.numa_nodes > 1)
    return warning(
        "NUMA", saw,
        "the firmware does not tell: find the near node (nvidia-smi topo -m) and start ranks there "
        "(numactl)");
  return ok("NUMA", saw);
}

}  // namespace eb::tools
