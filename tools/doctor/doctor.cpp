#include "tools/doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/doctor/cards.h"
#include "tools/doctor/cpu.h"
#include "tools/doctor/libraries.h"
#include "tools/doctor/loopback.h"
#include "tools/doctor/network.h"
#include "tools/doctor/storage.h"

namespace eb::tools {

std::vector<Line> examine(const fs::path& out, const fs::path& root) {
  const CpuFacts cpu = read_cpu(root);
  const CardFacts cards = read_cards(root);
  const MpiFacts mpi = read_mpi();
  const int count = std::max(static_cast<int>(cards.cards.size()), cards.driver.empty() ? 0 : cards.on_bus);
  std::vector<Line> lines = {build_line(cpu, instructions_of_build()), cpu_line(cpu),
                             memory_line(read_memory(root)), disk_line(read_disk(out)),
                             shared_memory_line(read_shared_memory(root), count)};
  const auto add = [&](const std::vector<Line>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  add(card_lines(cards));
  add({numa_line(cards)});
  add(library_lines({kernels::cudnn_library(), kernels::cublas_library(), read_nccl(), cards.no_nvml},
                    count));
  add({mpi_line(mpi, count), network_line(read_network())});
  if (const auto loopback = loopback_line(mpi)) lines.push_back(*loopback);
  return lines;
}

nlohmann::ordered_json to_json(const std::vector<Line>& lines) {
  auto list = nlohmann::ordered_json::array();
  for (const Line& l : lines)
    list.push_back({{"name", l.name}, {"state", l.state}, {"saw", l.saw}, {"advice", l.advice}});
  return list;
}

static int64_t count_of(const std::vector<Line>& lines, LineState state) {
  return std::ranges::count(lines, state, &Line::state);
}

void print(const std::vector<Line>& lines) {
  for (const Line& l : lines) {
    std::cout << fmt::format("{:<8} {:<9} {}\n", engine::name_of(l.state), l.name, l.saw);
    if (!l.advice.empty()) std::cout << fmt::format("{:<18} -> {}\n", "", l.advice);
  }
  std::cout << fmt::format("{} problem(s), {} warning(s)\n", count_of(lines, LineState::problem),
                           count_of(lines, LineState::warning));
}

int exit_code_of(const std::vector<Line>& lines) {
  return count_of(lines, LineState::problem) > 0 ? 5 : 0;
}

}  // namespace eb::tools
