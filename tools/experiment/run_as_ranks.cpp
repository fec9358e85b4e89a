#include "tools/experiment/run_as_ranks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/world/launcher.h"

namespace eb::tools {

using namespace engine;

static volatile sig_atomic_t launched = 0, asked = 0, ended_by = 0;  // process, a signal came, the second one

// mpirun passes SIGUSR1 on to every rank, and ends them upon SIGTERM.
static void pass_on(int signal) {
  if (launched) ::kill(launched, asked ? SIGTERM : SIGUSR1);
  if (asked) ended_by = signal;
  asked = 1;
}

static std::vector<std::string> mpirun_words(int ranks) {
  return {"mpirun", "-np", std::to_string(ranks), "--bind-to", "none", "--oversubscribe",
          // A rank that waits leaves its core to the others' threads.
          "--mca", "mpi_yield_when_idle", "1",
          // Where no other host is asked for, these look for networks and say that they found none.
          "--mca", "btl", "self,vader,tcp", "--mca", "btl_base_warn_component_unused", "0"};
}

// mpirun frames what it says itself by lines of dashes. Of that only who was killed is of use: an exit code
// is explained by the rank that chose it.
class Filter {
 public:
  void take(const char* text, size_t n) {
    for (const char* end = text + n; text < end; ++text) {
      line_ += *text;
      if (*text == '\n') finish_line();
    }
  }
  void finish() {
    if (!line_.empty()) finish_line();
    std::fputs(box_.c_str(), stderr);
  }

 private:
  void finish_line() {
    const bool edge = line_.size() > 60 && line_.find_first_not_of("-\n") == std::string::npos;
    if (edge || inside_)
      box_ += line_;
    else if (!line_.starts_with("mpirun: Forwarding signal"))
      std::fputs(line_.c_str(), stderr);
    if (edge && inside_) close_box();
    if (edge) inside_ = !inside_;
    line_.clear();
  }
  void close_box() {
    const bool exit_code =
        box_.find("non-zero") != std::string::npos || box_.find("terminated normally") != std::string::npos;
    if (!exit_code) std::fputs(box_.c_str(), stderr);
    box_.clear();
  }
  std::string line_, box_;
  bool inside_ = false;
};

static void pass_text(int from) {
  Filter filter;
  char text[4096];
  for (;;) {
    const ssize_t n = ::read(from, text, sizeof text);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    filter.take(text, static_cast<size_t>(n));
  }
  filter.finish();
}

[[noreturn]] static void become(std::vector<std::string>& words, const int (&text)[2]) {
  ::dup2(text[1], 2);
  for (const int end : text) ::close(end);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // with the parent killed nobody is left who could stop the ranks
  ::setpgid(0, 0);                     // a terminal's Ctrl-C comes through the parent
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, 0);
  if (::geteuid() == 0) {
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

std::optional<int> run_as_ranks(int ranks, std::vector<std::string> command_line) {
  const Launch launch = launch_of_process();
  if (launch.by_ranks()) {
    if (launch.size == 0 || launch.size == ranks) return std::nullopt;
    throw Error(errors::launcher_disagrees,
                fmt::format("--ranks {}, but the launcher started {} processes", ranks, launch.size),
                "leave --ranks out where mpirun or srun starts the processes");
  }
  if (ranks == 1) return std::nullopt;
  std::error_code ignored;
  command_line[0] = std::filesystem::read_symlink("/proc/self/exe", ignored);
  std::vector<std::string> words = mpirun_words(ranks);
  words.insert(words.end(), command_line.begin(), command_line.end());
  struct sigaction action {};
  action.sa_handler = pass_on;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) ::sigaction(signal, &action, nullptr);
  int text[2];
  if (::pipe2(text, 0) != 0) throw file_error("start", "mpirun", errno);
  const pid_t child = ::fork();
  if (child < 0) throw file_error("start", "mpirun", errno);
  if (child == 0) become(words, text);
  launched = child;
  ::close(text[1]);
  if (asked) ::kill(child, SIGTERM);  // before there was anything to stop
  pass_text(text[0]);
  ::close(text[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended_by) return 128 + ended_by;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == 127)
    throw Error(errors::no_mpi, "--ranks starts its processes by mpirun, which is not on the PATH",
                "install openmpi-bin, or start the ranks by srun --mpi=pmix");
  return code;
}

}  // namespace eb::tools
