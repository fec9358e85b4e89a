// The directory of a run, held by one process at a time. Files in it are replaced whole, never half:
//   config.resolved.json  argv.txt  env.json  status.json  run.lock  logs/  metrics.jsonl  ckpt/
//   summary.json  masks/  tickets/  dense/  report/
#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "engine/run/record.h"

namespace eb::engine {

class RunDir {
 public:
  // runs/NAME/20261120T224500Z-7f3a, which did not exist. Error 2023 for a name that is no file name.
  static RunDir create(const std::filesystem::path& runs, const std::string& name);
  // The run at `path`, or a new one there. Errors: 2021 another process holds it (says which), 2024 something
  // else is there. Leftovers of a killed process are removed.
  static RunDir open(const std::filesystem::path& path);

  // A directory of this process alone, which goes with it: of a rank that is not the first.
  static RunDir scratch();

  const std::filesystem::path& path() const { return path_; }
  // Empty, or why the lock may not be enough (a network file system).
  const std::string& warning() const { return warning_; }

  // What was asked, and where it runs: config.resolved.json, env.json (versions, machine, and only those
  // environment variables that change results or speed), and a line in argv.txt for each start.
  void describe(const std::vector<std::string>& argv, const nlohmann::json& resolved_config,
                const nlohmann::json& versions) const;
  // Below the directory; folders are made as needed. Error 8001 or 8002 / 4028 for a file that is no JSON.
  void write_json(const std::string& file, const nlohmann::json& value) const;
  nlohmann::json read_json(const std::string& file) const;
  // status.json, for people and schedulers that watch, with what summary.json would say now. A full disk is
  // no reason to stop: it is left out then.
  void write_status(const std::string& phase, int64_t step, std::optional<RunSummary> summary = {});
  void write_exit(int code, const std::string& error = "");  // error: what the run failed with

 private:
  explicit RunDir(std::filesystem::path path);
  void lock();
  void write_status_file(Count exit_code, const std::string& error = "") const;
  std::filesystem::path path_;
  std::string warning_, phase_ = "setup";
  int64_t step_ = 0;
  std::optional<RunSummary> summary_;
  File lock_;
  std::shared_ptr<const std::filesystem::path> scratch_;  // set for one that goes with this
};

}  // namespace eb::engine
