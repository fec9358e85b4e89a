// Which checkpoints of a run exist: saving under a final name, pointers, retention, and finding the newest
// good one.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint_parts.h"
#include "engine/checkpoint/names.h"

namespace eb::engine {

using nlohmann::json;

// Without the exceptions of a folder that may not be entered.
static bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

static bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

static std::string step_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "%s%08lld", file_names::step_prefix, static_cast<long long>(step));
  return name;
}

static std::optional<int64_t> step_of(const std::string& name) {
  int64_t step = 0;
  constexpr std::string_view prefix = file_names::step_prefix;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  if (error != std::errc{} || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

static std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(errors::file_failed, "cannot list " + quote_path(directory) + ": " + error.message());
  return names;
}

// Steps that have a directory, newest first.
static std::vector<int64_t> steps_in(const fs::path& directory) {
  std::vector<int64_t> steps;
  for (const std::string& name : names_in(directory))
    if (const auto step = step_of(name); step && name == step_name(*step)) steps.push_back(*step);
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

static bool is_intact(const fs::path& step_directory) {
  try {
    verify_checkpoint(step_directory);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// --- pointers ---

static void point(const fs::path& directory, const std::string& pointer, int64_t step) {
  replace_file(directory / pointer, json{{"path", step_name(step)}, {"step", step}}.dump() + "\n");
}

// The step a pointer names; nothing if it is missing, damaged or names something else.
static std::optional<int64_t> pointed_step(const fs::path& directory, const std::string& pointer) {
  try {
    const json j = parse_json(read_file(directory / pointer, 4096), pointer, false);
    if (j.is_object() && j.contains("path") && j["path"].is_string()) return step_of(j["path"]);
  } catch (const Error&) {
  }
  return std::nullopt;
}

// --- retention ---

// Renamed first: a half deleted checkpoint never bears a good name.
static void remove_checkpoint(const fs::path& directory, int64_t step) {
  const fs::path path = directory / step_name(step);
  const fs::path doomed = directory / (".del-" + temporary_beside(path).filename().string().substr(5));
  rename_synced(path, doomed);
  remove_tree(doomed);
}

static bool is_milestone(const fs::path& step_directory) {
  try {
    return read_manifest(step_directory).milestone;
  } catch (const Error&) {
    return false;
  }
}

static void remove_later_than(const fs::path& directory, int64_t step) {
  if (pointed_step(directory, file_names::best).value_or(step) > step)
    remove_tree(directory / file_names::best);
  for (const int64_t s : steps_in(directory))
    if (s > step) remove_checkpoint(directory, s);
}

static void remove_old(const fs::path& directory, int keep_last) {
  const std::optional<int64_t> best = pointed_step(directory, file_names::best);
  const std::vector<int64_t> steps = steps_in(directory);
  for (size_t i = static_cast<size_t>(std::max(keep_last, 1)); i < steps.size(); ++i)
    if (steps[i] != best && !is_milestone(directory / step_name(steps[i])))
      remove_checkpoint(directory, steps[i]);
}

// Makes room: everything but the newest intact checkpoint, the best and the milestones goes.
static void remove_all_but_last_good(const fs::path& directory) {
  const std::vector<int64_t> steps = steps_in(directory);
  const auto good = std::find_if(steps.begin(), steps.end(),
                                 [&](int64_t s) { return is_intact(directory / step_name(s)); });
  if (good != steps.end()) remove_old(directory, static_cast<int>(good - steps.begin()) + 1);
}

void remove_stale_checkpoints(const fs::path& directory) {
  for (const std::string& name : names_in(directory))
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".del-", 0) == 0) remove_tree(directory / name);
}

// --- saving ---

// `path` may hold an older checkpoint of the same step. Where names cannot be exchanged, it is moved away
// first; a kill between the two renames then costs this step, and the one before is resumed.
static void put_in_place(const fs::path& temporary, const fs::path& path) {
  if (!is_there(path)) return rename_synced(temporary, path);
  if (exchange_synced(temporary, path)) return remove_tree(temporary);
  const fs::path doomed = path.parent_path() / (".del-" + temporary.filename().string().substr(5));
  rename_synced(path, doomed);
  rename_synced(temporary, path);
  remove_tree(doomed);
}

static void write_in_place(const fs::path& path, int64_t step, const Checkpoint& checkpoint, bool milestone) {
  const fs::path temporary = temporary_beside(path);
  try {
    write_parts(temporary, step, checkpoint, milestone);
    put_in_place(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

void replace_checkpoint(const fs::path& path, int64_t step, const Checkpoint& checkpoint) {
  write_in_place(fs::absolute(path), step, checkpoint, false);
}

static void save_once(const fs::path& directory, int64_t step, const Checkpoint& checkpoint,
                      const CheckpointOptions& options) {
  write_in_place(directory / step_name(step), step, checkpoint, options.milestone);
  point(directory, file_names::latest, step);
  if (options.best) point(directory, file_names::best, step);
  remove_later_than(directory, step);
  remove_old(directory, options.keep_last);
}

// Runs `action`; false if the disk was full.
template <class F>
static bool had_room(F action) {
  try {
    action();
    return true;
  } catch (const Error& e) {
    if (e.code() != errors::disk_full) throw;
    return false;
  }
}

SaveResult save_checkpoint(const fs::path& directory, int64_t step, const Checkpoint& checkpoint,
                           const CheckpointOptions& options) {
  const auto save = [&] {
    if (!is_there(directory)) make_directory(directory);
    save_once(directory, step, checkpoint, options);
  };
  if (had_room(save)) return SaveResult::saved;
  const bool made_room = had_room([&] { remove_all_but_last_good(directory); });
  return made_room && had_room(save) ? SaveResult::saved : SaveResult::disk_full;
}

uint64_t checkpoint_disk_need(const Checkpoint& c, const CheckpointOptions& options, uint64_t growth) {
  uint64_t bytes = growth + (uint64_t{64} << 10);  // state, manifest, headers
  for (const auto* tensors : {&c.model, &c.optim, &c.hooks})
    for (const auto& [name, t] : *tensors) bytes += t.bytes() + 256;
  for (const auto& [key, value] : c.metadata) bytes += value.size();
  const uint64_t copies =
      static_cast<uint64_t>(std::max(options.keep_last, 1)) + 2;  // and the best, and the new one
  return bytes * copies + bytes * copies / 10;
}

// --- finding ---

std::optional<FoundCheckpoint> find_latest(const fs::path& directory) {
  std::string damaged;
  for (const int64_t step : steps_in(directory)) {
    const fs::path path = directory / step_name(step);
    try {
      verify_checkpoint(path);
      if (!damaged.empty()) damaged += "; falling back to " + quote_path(path);
      return FoundCheckpoint{path, step, damaged};
    } catch (const Error& e) {
      damaged += (damaged.empty() ? "" : "; ") + e.message();
    }
  }
  if (!damaged.empty())
    throw Error(errors::all_checkpoints_damaged,
                "no intact checkpoint is left in " + quote_path(directory) + ": " + damaged,
                "start a new run with --resume never, or name another checkpoint");
  return std::nullopt;
}

static fs::path checkpoints_of(const fs::path& run_or_checkpoints) {
  return is_folder(run_or_checkpoints / file_names::checkpoints)
             ? run_or_checkpoints / file_names::checkpoints
             : run_or_checkpoints;
}

static Error nothing_at(const fs::path& path, const std::string& why) {
  const bool weights = path.extension() == ".safetensors";
  return Error(errors::no_checkpoint, "no checkpoint at " + quote_path(path) + ": " + why,
               weights ? "eb_engine import makes a checkpoint of a file of weights (docs/pytorch.md)"
                       : "name a run directory, or a checkpoint such as RUN/ckpt/step-00031200");
}

static fs::path resolve_latest(const fs::path& directory, const fs::path& given, std::string* warning) {
  const auto found = find_latest(directory);
  if (!found) throw nothing_at(given, "it holds none");
  if (warning) *warning = found->warning;
  return found->path;
}

static fs::path resolve_best(const fs::path& directory, const fs::path& given) {
  const auto step = pointed_step(directory, file_names::best);
  if (!step) throw nothing_at(given, "the run has not marked a best one");
  return directory / step_name(*step);
}

fs::path resolve_checkpoint(const fs::path& given, std::string* warning) {
  const fs::path path = given.has_filename() ? given : given.parent_path();
  if (is_there(path / file_names::manifest) || (step_of(path.filename().string()) && is_folder(path)))
    return path;
  const std::string last = path.filename().string();
  if (!is_folder(path) && (last == "best" || last == file_names::best))
    return resolve_best(checkpoints_of(path.parent_path()), given);
  if (!is_folder(path) && (last == "latest" || last == file_names::latest))
    return resolve_latest(checkpoints_of(path.parent_path()), given, warning);
  if (!is_folder(path)) throw nothing_at(given, is_there(path) ? "it is a file" : "it does not exist");
  return resolve_latest(checkpoints_of(path), given, warning);
}

}  // namespace eb::engine
