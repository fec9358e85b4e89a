#include "support/run_ranks.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "engine/base/clock.h"
#include "support/paths.h"

namespace eb::test {

bool have_mpirun() {
  static const bool have = std::system("command -v mpirun >/dev/null 2>&1") == 0 &&
                           std::filesystem::exists(binary_dir() / "libeb_mpi.so");
  return have;
}

static std::vector<std::string> command_of(const RanksRun& run) {
  std::vector<std::string> words;
  if (run.ranks > 0)
    words = {"mpirun",
             "-np",
             std::to_string(run.ranks),
             "--quiet",
             "--oversubscribe",
             "--bind-to",
             "none",
             "--mca",
             "btl",
             "self,vader",
             "--mca",
             "mpi_yield_when_idle",
             "1"};
  words.push_back(binary_dir() / "rank_of_test");
  words.insert(words.end(), run.words.begin(), run.words.end());
  return words;
}

[[noreturn]] static void become(std::vector<std::string> words, const std::vector<std::string>& env,
                                const TempDir& dir) {
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::dup2(::open((dir / "out").c_str(), O_WRONLY | O_CREAT, 0600), 1);
  ::dup2(::open((dir / "err").c_str(), O_WRONLY | O_CREAT, 0600), 2);
  ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  for (const std::string& entry : env) ::putenv(const_cast<char*>(entry.c_str()));
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

RanksOutcome run_ranks(const RanksRun& run) {
  const TempDir dir;
  const pid_t pid = ::fork();
  if (pid == 0) become(command_of(run), run.env, dir);
  if (run.during) run.during(pid);
  const double since = engine::seconds_now();
  int status = 0;
  ::waitpid(pid, &status, 0);
  RanksOutcome o;
  o.seconds = engine::seconds_now() - since;
  o.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  o.out = slurp(dir / "out"), o.err = slurp(dir / "err");
  return o;
}

int pid_of_rank(const std::string& directory, int rank) {
  const std::string path = directory + "/" + std::to_string(rank) + ".pid";
  for (int tries = 0; tries < 3000; ++tries) {
    int pid = 0;
    std::ifstream(path) >> pid;
    if (pid > 0) return pid;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("no rank wrote " + path);
}

}  // namespace eb::test
