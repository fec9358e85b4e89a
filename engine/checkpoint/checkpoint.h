// Checkpoints that survive a crash at any instant: a directory appears under its final name only when every
// byte of it is on the disk, and readers verify sizes and hashes before they believe anything. No pickle, no
// links.
//   ckpt/step-00031200/  model.safetensors  optim.safetensors  state.json  manifest.json
//                        hooks.safetensors, if a hook of the session keeps tensors
//   ckpt/latest.json best.json              {"path": "step-00031200", "step": 31200}, replaced by rename
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/tensor/tensor.h"

namespace eb::engine {

struct Checkpoint {
  nlohmann::json state = nlohmann::json::object();  // an object; whoever trains decides what is in it
  std::map<std::string, Tensor> model, optim, hooks;
  std::map<std::string, std::string> metadata;  // of model.safetensors; "graph" and "config" are JSON texts

  // Those two as load_checkpoint read them; null in a checkpoint that was not loaded.
  const nlohmann::json& graph() const { return graph_; }
  const nlohmann::json& config() const { return config_; }

 private:
  friend Checkpoint load_checkpoint(const std::filesystem::path& step_directory);
  nlohmann::json graph_, config_;
};

struct CheckpointOptions {
  int keep_last = 2;       // at least 1
  bool best = false;       // best.json will point here, and keeps it
  bool milestone = false;  // kept for good
};

enum class SaveResult : uint8_t { saved, disk_full };

// Writes step-N below `directory` (made if missing), moves the pointers, deletes what the options do not keep
// and every checkpoint of a later step (a run that went back owns no future). A full disk: older ones are
// dropped, but never the last good one, and the save is tried once more. Error 8001 for any other I/O
// failure.
SaveResult save_checkpoint(const std::filesystem::path& directory, int64_t step, const Checkpoint& checkpoint,
                           const CheckpointOptions& options = {});
// One checkpoint at exactly `path`, which must not exist (8001); same protocol, no pointers.
void export_checkpoint(const std::filesystem::path& path, int64_t step, const Checkpoint& checkpoint);
// The same, in place of what may be there already.
void replace_checkpoint(const std::filesystem::path& path, int64_t step, const Checkpoint& checkpoint);

// Verifies everything first. Errors: 4020 no (readable) manifest, 4021 file missing or of another size, 4022
// hash differs, 4023 content that hashes right but is no checkpoint, 4025 written by a newer format.
Checkpoint load_checkpoint(const std::filesystem::path& step_directory);
// Sizes and hashes only; same errors.
void verify_checkpoint(const std::filesystem::path& step_directory);

// model.safetensors alone, without the hashes of a manifest. Error 4027 if it carries no graph.
struct ModelFile {
  std::map<std::string, Tensor> tensors;
  nlohmann::json graph, config;  // config is null if the file has none
};
ModelFile load_model_file(const std::filesystem::path& path);

struct FoundCheckpoint {
  std::filesystem::path path;
  int64_t step = 0;
  std::string warning;  // names the file and hash of every newer checkpoint that is damaged; empty if none is
};
// The newest intact checkpoint; nothing if there are none at all. Error 4026 if there are, but all are
// damaged.
std::optional<FoundCheckpoint> find_latest(const std::filesystem::path& directory);

// The checkpoint a user means by a run directory, a ckpt directory, a checkpoint itself, or one of the first
// two followed by /best or /latest. `warning` receives FoundCheckpoint::warning. Error 4024 if there is none.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path, std::string* warning = nullptr);

// Removes what a killed process left half written or half deleted. Only the holder of the run's lock may call
// it.
void remove_stale_checkpoints(const std::filesystem::path& directory);

// Bytes that the checkpoints of a run will need at the most, with a margin of 10 %; each may grow by
// `growth`.
uint64_t checkpoint_disk_need(const Checkpoint& checkpoint, const CheckpointOptions& options,
                              uint64_t growth = 0);

}  // namespace eb::engine
