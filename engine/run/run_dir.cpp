#include "engine/run/run_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/run/names.h"

namespace eb::engine {

using nlohmann::json;

static std::string host_name() {
  struct utsname machine {};
  ::uname(&machine);
  return machine.nodename;
}

// --- creating and opening ---

static std::string random_suffix() {
  static std::random_device random;
  std::string suffix = "-";
  for (int i = 0; i < 4; ++i) suffix += "0123456789abcdef"[random() % 16];
  return suffix;
}

static void check_name(const std::string& name) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
  if (name.empty() || name.size() > 100 || name[0] == '.' || !std::all_of(name.begin(), name.end(), allowed))
    throw Error(errors::bad_run_name, "a run cannot be named " + quote(name),
                "letters, digits and _ - . (not first), at most 100; or use --out DIR");
}

RunDir RunDir::create(const fs::path& runs, const std::string& name) {
  check_name(name);
  make_directories(runs / name);
  for (int attempt = 0;; ++attempt) {
    const fs::path path = runs / name / (utc_now("%Y%m%dT%H%M%SZ") + random_suffix());
    std::error_code error;
    const bool taken = fs::exists(path, error);
    if (taken && attempt < 16) continue;
    make_directory(path);
    return RunDir(path);
  }
}

static bool is_run_or_empty(const fs::path& path) {
  std::error_code error;
  return fs::exists(path / file_names::lock, error) || fs::is_empty(path, error);
}

RunDir RunDir::open(const fs::path& given) {
  const fs::path path = given.has_filename() ? given : given.parent_path();
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) {
    make_directories(path.has_parent_path() ? path.parent_path() : ".");
    make_directory(path);
  } else if (!fs::is_directory(path, error) || !is_run_or_empty(path)) {
    throw Error(errors::out_is_no_run, quote_path(path) + " exists and is not a run directory",
                "name one that does not exist yet");
  }
  return RunDir(path);
}

// Of processes that were killed: their numbers are in the names.
static void remove_stale_scratch(const fs::path& folder, const std::string& prefix) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix)) continue;
    const int pid = std::atoi(name.c_str() + prefix.size());
    if (pid > 0 && ::kill(pid, 0) == -1 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

RunDir RunDir::scratch() {
  const std::string prefix = "eb_engine-rank-";
  const fs::path folder = fs::temp_directory_path();
  remove_stale_scratch(folder, prefix);
  std::string name = folder / (prefix + std::to_string(::getpid()) + "-XXXXXX");
  if (!::mkdtemp(name.data())) throw file_error("create", name, errno);
  RunDir run(name);
  run.scratch_ = {new fs::path(name), [](const fs::path* path) {
                    std::error_code ignored;
                    fs::remove_all(*path, ignored);
                    delete path;
                  }};
  return run;
}

RunDir::RunDir(fs::path path) : path_(std::move(path)) {
  lock();
  make_directories(path_ / file_names::logs);
  remove_stale_checkpoints(path_ / file_names::checkpoints);
  remove_stale_checkpoints(path_);  // temporary files of replace_file()
}

// --- the lock ---

static bool is_network_file_system(const fs::path& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) == -1) return false;
  constexpr long nfs = 0x6969, smb2 = static_cast<long>(0xfe534d42);
  return info.f_type == nfs || info.f_type == smb2;
}

// The kernel drops the lock with the process, however it ends; the text in the file is for people only.
void RunDir::lock() {
  lock_ = File(path_ / file_names::lock, O_RDWR | O_CREAT);
  if (::flock(lock_.descriptor(), LOCK_EX | LOCK_NB) == -1) {
    if (errno != EWOULDBLOCK) throw file_error("lock", lock_.path(), errno);
    std::string holder = read_file(lock_.path(), 4096);
    if (!holder.empty() && holder.back() == '\n') holder.pop_back();
    throw Error(errors::run_locked,
                "run directory " + quote_path(path_) + " is in use by " +
                    (holder.empty() ? "another process" : printable(holder)),
                "wait until it ends, or choose another directory with --out");
  }
  lock_.truncate(0);
  lock_.write("process " + std::to_string(::getpid()) + " on host " + host_name() + "\n");
  if (is_network_file_system(path_))
    warning_ = quote_path(path_) + " is on a network file system: its lock may not keep other hosts out";
}

// --- files ---

void RunDir::write_json(const std::string& file, const json& value) const {
  const fs::path path = path_ / file;
  make_directories(path.parent_path());
  replace_file(path, dump_json(value, 2) + "\n");
}

json RunDir::read_json(const std::string& file) const {
  json value = try_parse_json(read_file(path_ / file));
  if (value.is_discarded()) throw Error(errors::run_file_not_json, quote_path(path_ / file) + " is not JSON");
  return value;
}

// Only what is named here: an environment holds secrets.
static const char* const recorded_variables[] = {"OMP_NUM_THREADS",
                                                 "OMP_PROC_BIND",
                                                 "OMP_PLACES",
                                                 "OMP_SCHEDULE",
                                                 "OMP_WAIT_POLICY",
                                                 "GOMP_CPU_AFFINITY",
                                                 "KMP_AFFINITY",
                                                 "DNNL_MAX_CPU_ISA",
                                                 "DNNL_DEFAULT_FPMATH_MODE",
                                                 "DNNL_PRIMITIVE_CACHE_CAPACITY",
                                                 "MALLOC_ARENA_MAX",
                                                 "CUDA_VISIBLE_DEVICES",
                                                 "NVIDIA_TF32_OVERRIDE",
                                                 "SLURM_JOB_ID",
                                                 "SLURM_NODELIST",
                                                 "TZ",
                                                 "LANG",
                                                 "EB_FAULT"};

static json environment() {
  json variables = json::object();
  for (const char* name : recorded_variables)
    if (const char* value = std::getenv(name)) variables[name] = value;
  return variables;
}

static std::string cpu_model() {
  const File cpuinfo("/proc/cpuinfo", O_RDONLY);
  std::string text(4096, '\0');
  text.resize(
      static_cast<size_t>(std::max<ssize_t>(0, ::read(cpuinfo.descriptor(), text.data(), text.size()))));
  const size_t key = text.find("model name"), colon = text.find(": ", key), end = text.find('\n', colon);
  return key == text.npos || colon == text.npos ? "" : text.substr(colon + 2, end - colon - 2);
}

void RunDir::describe(const std::vector<std::string>& argv, const json& resolved_config,
                      const json& versions) const {
  write_json(file_names::config, resolved_config);
  struct utsname machine {};
  ::uname(&machine);
  write_json(file_names::environment, {{"started", utc_now()},
                                       {"host", machine.nodename},
                                       {"kernel", std::string(machine.sysname) + " " + machine.release},
                                       {"cpu", cpu_model()},
                                       {"cpus", std::thread::hardware_concurrency()},
                                       {"versions", versions},
                                       {"variables", environment()}});
  std::string line;
  for (const std::string& word : argv) line += shell_word(word), line += ' ';
  if (!line.empty()) line.back() = '\n';
  File file(path_ / file_names::arguments, O_WRONLY | O_CREAT | O_APPEND);
  file.write(line);
  file.close();
}

void RunDir::write_status(const std::string& phase, int64_t step, std::optional<RunSummary> summary) {
  phase_ = phase, step_ = step, summary_ = std::move(summary);
  write_status_file(std::nullopt);
}

void RunDir::write_exit(int code, const std::string& error) {
  write_status_file(code, error);
}

void RunDir::write_status_file(Count exit_code, const std::string& error) const {
  try {
    RunStatus status{phase_, step_, utc_now(), ::getpid(), host_name(), summary_, exit_code};
    if (!error.empty()) status.error = error;
    write_json(file_names::status, to_json(status));
  } catch (const Error& e) {
    if (e.code() != errors::disk_full) throw;
  }
}

}  // namespace eb::engine
