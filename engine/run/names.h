// The names of what lies in a run directory, each said once: whoever writes or reads a run takes them from
// here. Those of ckpt/ are in engine/checkpoint/names.h.
#pragma once
#include <cstdint>
#include <string>

#include "engine/checkpoint/names.h"

namespace eb::engine::file_names {

inline constexpr const char* lock = "run.lock";
inline constexpr const char* config = "config.resolved.json";
inline constexpr const char* arguments = "argv.txt";
inline constexpr const char* environment = "env.json";
inline constexpr const char* status = "status.json";
inline constexpr const char* metrics = "metrics.jsonl";
inline constexpr const char* summary = "summary.json";
inline constexpr const char* divergence = "crash/divergence.json";
inline constexpr const char* report = "report/report.html";
inline constexpr const char* data_files = "data_files.txt";  // data/file_list.h

// Folders.
inline constexpr const char* logs = "logs";
inline constexpr const char* masks = "masks";      // every mask that was drawn, a file for each ratio
inline constexpr const char* tickets = "tickets";  // what has emerged, and what was drawn
inline constexpr const char* averaged = "swa";     // a checkpoint with averaged weights
inline constexpr const char* dense = "dense";  // a checkpoint of the network that the ticket was drawn from
inline constexpr const char* events = "tb";    // for TensorBoard

// `ratio` is its name: "p30".
inline constexpr const char* mask_extension = ".bits";
inline std::string mask_file(const std::string& ratio) {
  return ratio + mask_extension;
}
// "p30-ep3.safetensors" at the end of an epoch, "p30-st34.safetensors" within one.
inline std::string ticket_file(const std::string& ratio, int64_t step, int64_t steps_per_epoch) {
  const bool whole = step % steps_per_epoch == 0;
  return ratio + (whole ? "-ep" : "-st") + std::to_string(whole ? step / steps_per_epoch : step) +
         ".safetensors";
}
inline std::string ticket_path(const std::string& ratio, int64_t step,
                               int64_t steps_per_epoch) {  // in the run directory
  return std::string(tickets) + "/" + ticket_file(ratio, step, steps_per_epoch);
}

// Keys of metrics.jsonl that end in the name of a ratio.
inline constexpr const char* distance_key = "eb/distance_";
inline constexpr const char* kept_key = "eb/kept_";
inline constexpr const char* threshold_key = "eb/threshold_";

}  // namespace eb::engine::file_names
