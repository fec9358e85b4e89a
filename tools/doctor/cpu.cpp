#include "tools/doctor/cpu.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/text.h"
#include "kernels/built_targets.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/device_problem.h"
#include "tools/doctor/cgroup.h"
#include "tools/doctor/commit.h"
#include "tools/experiment/version.h"

namespace eb::tools {

CpuFacts read_cpu(const fs::path& root) {
  CpuFacts cpu;
  std::istringstream lines(text_of(root / "proc/cpuinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::string value = line.substr(std::min(line.size(), line.find(": ") + 2));
    if (line.starts_with("processor")) ++cpu.cores;
    if (line.starts_with("model name")) cpu.model = value;
    if (!line.starts_with("flags") || !cpu.flags.empty()) continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) cpu.flags.insert(word);
  }
  cpu_set_t mine;
  cpu.allowed = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : cpu.cores;
  cpu.limit = cpu_limit(root);
  return cpu;
}

MemoryFacts read_memory(const fs::path& root) {
  MemoryFacts memory{.limit = static_cast<double>(memory_limit(root))};
  std::istringstream lines(text_of(root / "proc/meminfo"));
  for (std::string line; std::getline(lines, line);) {  // "MemTotal:  49368184 kB"
    std::string name;
    double kib = 0;
    std::istringstream(line) >> name >> kib;
    if (name == "MemTotal:") memory.total = 1024 * kib;
    if (name == "MemAvailable:") memory.available = 1024 * kib;
  }
  return memory;
}

static std::string name_of(const CpuFacts& cpu) {
  return cpu.model.empty() ? "CPU of unknown model" : engine::printable(cpu.model);
}

Line build_line(const CpuFacts& cpu, const std::vector<std::string>& instructions) {
  const auto version = version_info();
  std::vector<std::string> vectors, missing;
  for (const std::string& i : instructions) {
    if (i.starts_with("avx") || i.starts_with("amx") || i == "fma") vectors.push_back(i);
    if (!cpu.flags.contains(i)) missing.push_back(i);
  }
  const std::string targets = kernels::target_names(kernels::built::cuda_targets);
  const std::string saw = fmt::format(
      "eb_engine {}, commit {}, {}, for CPUs with {}, {}", version["eb_engine"].get<std::string>(),
      commit_of_build, version["compiler"].get<std::string>(),
      vectors.empty() ? "plain x86-64" : fmt::format("{}", fmt::join(vectors, " ")),
      targets.empty() ? "without CUDA kernels" : "with CUDA kernels for " + targets);
  if (missing.empty()) return ok("build", saw);
  if (cpu.flags.empty())
    return warning("build", saw + "; what this CPU can is not known",
                   "build on this machine, if a training ends with an illegal instruction");
  return problem(
      "build", saw + fmt::format("; this {} lacks {}", name_of(cpu), fmt::join(missing, " ")),
      "build on this machine, or with -DEB_ARCH=x86-64-v3 for every CPU with AVX2: this build ends "
      "here with an illegal instruction");
}

Line cpu_line(const CpuFacts& cpu) {
  std::string saw = fmt::format("{}, {} of {} cores allowed", name_of(cpu), cpu.allowed, cpu.cores);
  if (cpu.limit > 0) saw += fmt::format(", {:.1f} cores' time by cgroup", cpu.limit);
  saw += ", bf16: " + kernels::cpu::bf16_arithmetic();
  if (cpu.limit > 0 && cpu.limit < cpu.allowed)
    return warning("CPU", saw,
                   fmt::format("--threads {}, since more threads are stopped again and again; or give the "
                               "container more (--cpus)",
                               std::max(1, static_cast<int>(cpu.limit))));
  if (cpu.allowed < 2 && cpu.cores > 1)
    return warning("CPU", saw,
                   "let it have more: mpirun --bind-to none, srun --cpus-per-task, or taskset around this "
                   "command");
  return ok("CPU", saw);
}

Line memory_line(const MemoryFacts& m) {
  std::string saw = fmt::format("{} available of {}", size_text(m.available), size_text(m.total));
  if (m.limit > 0) saw += fmt::format(", at most {} by cgroup", size_text(m.limit));
  const double usable = m.limit > 0 ? std::min(m.limit, m.available) : m.available;
  if (usable >= gib) return ok("memory", saw);
  return warning("memory", saw,
                 "end other programs, give the container more (--memory), or train with a smaller "
                 "train.batch_size");
}

}  // namespace eb::tools
