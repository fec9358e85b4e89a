#include "tools/doctor/loopback.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/world/launcher.h"

namespace eb::tools {

constexpr int limit_s = 20, timed_out = 124, killed = 128 + 9;

LoopbackFacts try_loopback(const fs::path& program) {
  std::array<char, 64> errors = {"/tmp/eb_doctor_XXXXXX"};
  const int file = ::mkstemp(errors.data());
  if (file >= 0) ::close(file);
  const std::string command =
      fmt::format("timeout -k 2 {} {} bench comm --ranks 2 --max-mib 1 --seconds 0.01 --json 2>{}", limit_s,
                  engine::shell_word(program), engine::shell_word(file >= 0 ? errors.data() : "/dev/null"));
  LoopbackFacts facts{.exit_code = -1};
  if (std::FILE* pipe = ::popen(command.c_str(), "r")) {
    std::array<char, 4096> part;
    while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) facts.out.append(part.data(), n);
    const int status = ::pclose(pipe);
    facts.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  if (file >= 0) {
    facts.err = text_of(errors.data());
    ::unlink(errors.data());
  }
  return facts;
}

static std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t before = text.rfind('\n', end);
  return text.substr(before + 1, end - before);
}

Line loopback_line(const LoopbackFacts& facts) {
  const std::string by_hand = "run `eb_engine bench comm --ranks 2` by hand to see why";
  if (facts.exit_code == timed_out || facts.exit_code == killed)
    return problem("loopback", fmt::format("two ranks did not end within {} s", limit_s),
                   by_hand + "; --mca btl self,vader leaves interfaces out");
  const auto all = nlohmann::json::parse(facts.out, nullptr, false);
  if (facts.exit_code == 0 && all.is_object() && all.contains("rows") && all.value("ranks", 0) == 2)
    return ok("loopback", fmt::format("two ranks by mpirun added up 1 MiB in {:.2f} ms",
                                      all["rows"].back().value("ours_ms", 0.)));
  const std::string said = last_line(facts.err);
  return problem("loopback",
                 fmt::format("two ranks ended with exit code {}{}", facts.exit_code,
                             said.empty() ? "" : ": " + engine::printable(said)),
                 by_hand + "; mpirun and libmpi.so have to be of the same Open MPI");
}

std::optional<Line> loopback_line(const MpiFacts& mpi) {
  if (!mpi.built || mpi.launcher.empty() || engine::launch_of_process().by_ranks()) return std::nullopt;
  std::error_code ignored;
  return loopback_line(try_loopback(fs::read_symlink("/proc/self/exe", ignored)));
}

}  // namespace eb::tools
