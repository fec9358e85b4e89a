// The names of what lies in ckpt/ and in a checkpoint, each said once.
#pragma once

namespace eb::engine::file_names {

inline constexpr const char* checkpoints =
    "ckpt";  // in a run directory; in it step-00031200/ and two pointers
inline constexpr const char* latest = "latest.json";
inline constexpr const char* best = "best.json";
inline constexpr const char* step_prefix = "step-";

// In a checkpoint.
inline constexpr const char* manifest = "manifest.json";
inline constexpr const char* state = "state.json";
inline constexpr const char* model = "model.safetensors";
inline constexpr const char* optimizer = "optim.safetensors";
inline constexpr const char* hooks = "hooks.safetensors";

}  // namespace eb::engine::file_names
