// What a run says of itself: the phases of its checkpoints, the lines of metrics.jsonl, summary.json and
// status.json. Only record.cpp and summary.cpp know how these are spelled; whoever writes or reads a run does
// it through these types. What is empty was not measured: null in the file, or the key is not there.
// Reading takes what it finds: a value that is missing or of another type is empty.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/json_read.h"
#include "engine/base/phase.h"

namespace eb::engine {

// --- a phase ---

// The arithmetic of a phase: what it takes for an image, and the bytes it needs.
struct PhaseFormat {
  struct Bytes {
    Count weights, gradients, momentum, activations;  // activations: of one training step
  };
  Words precision;  // "8-bit", "f32", "bf16"
  Count int8_ops_per_training_image, flops_per_training_image;
  Bytes bytes;
};

// A stretch of a run with one network, and what it cost.
struct PhaseRecord {
  std::optional<Phase> name;
  Count params, flops_per_image, macs_per_image, start_step, steps, samples;
  Number train_seconds, eval_seconds, data_wait_seconds, joules;
  Words energy_method;
  Count peak_memory_bytes;  // most that the device's allocator had handed out at once
  // What else was timed: "forward", "backward" and "optimizer" (on the CPU; a card replays a step as a
  // whole), "early_bird", "checkpoint", and "wall" for everything together. None if the phase began under a
  // version that did not time them: these would be of its end alone.
  std::optional<std::map<std::string, double>> seconds;
  PhaseFormat format;

  Number images_per_s() const;  // none before the first step
};

nlohmann::json to_json(const PhaseFormat& format);
PhaseFormat format_from_json(const nlohmann::json& j);
nlohmann::json to_json(const PhaseRecord& phase);
PhaseRecord phase_from_json(const nlohmann::json& j);

// --- metrics.jsonl ---

// The newest mask of one ratio: its distance from those before (none for the first), the channels it keeps,
// and the scale below which a channel goes.
struct MaskCheck {
  Number distance;
  Count kept;
  Number threshold;
  bool operator==(const MaskCheck&) const = default;
};
using MaskChecks = std::map<std::string, MaskCheck>;  // by the ratio's name: "p30"

// A mean of weights, evaluated.
struct AveragedRecord {
  Count models, start_epoch;  // how many, and the first epoch of them
  Number top1, top5, loss, holdout_top1;
  bool operator==(const AveragedRecord&) const = default;
};

// Shares of what was rounded to 8 bits: clamped, or lost to zero. By the name of the tensor, and of all.
struct RoundingRecord {
  std::map<std::string, double> saturated, flushed;
  Number saturated_rate, flushed_rate;
  bool operator==(const RoundingRecord&) const = default;
};

// The end of an epoch.
struct EpochRecord {
  int64_t epoch = 0, step = 0;  // that are complete
  Phase phase = Phase::dense;
  Number train_loss, train_top1, lr, test_loss, test_top1, test_top5, holdout_top1;
  Number images_per_s, seconds, data_wait_seconds, peak_gib, joules;
  MaskChecks masks;
  AveragedRecord averaged;
  std::optional<RoundingRecord> rounding;
  bool operator==(const EpochRecord&) const = default;
};

// Within an epoch.
struct BatchRecord {
  int64_t epoch = 0, step = 0;
  Phase phase = Phase::dense;
  Number loss, lr;
};

nlohmann::json to_json(const MaskChecks& masks);
MaskChecks masks_from_json(const nlohmann::json& j);
nlohmann::json to_json(const EpochRecord& epoch);
nlohmann::json to_json(const BatchRecord& batch);
// None if no training writes such a line: it was edited or damaged, so none of its numbers is to be trusted.
// `epoch` and `step` of one are integers that a double holds, `phase` is one there is, and what is drawn is a
// number, or null where it was not finite. Other keys may be there and hold anything.
std::optional<EpochRecord> epoch_from_json(const nlohmann::json& line);
std::optional<BatchRecord> batch_from_json(const nlohmann::json& line);

// What was measured, under the keys of the line in the file: "test/top1".
using NamedNumbers = std::vector<std::pair<std::string, double>>;
NamedNumbers numbers_of(const EpochRecord& epoch);
NamedNumbers numbers_of(const BatchRecord& batch);

// --- summary.json ---

struct BestRecord {  // epoch of a phase, picked on `split`
  Number top1, top5, test_top1;
  Count epoch;
  std::optional<Phase> phase;
  Words split;
};

// One network, trained to the end. The notes say where a number is of another moment than that.
struct NetworkRecord {
  Number ratio;  // of a ticket
  Number test_top1, test_top5, test_loss;
  Words test_top1_note;
  Count params, flops_per_image;
  Number training_flops, seconds;
  Words seconds_note;
  Number images_per_s, joules;
};

// Steps of the dense and of the compacted network, timed in turn at the draw.
struct PairedSteps {
  int64_t pairs = 0;
  double ratio = 0, least = 0, most = 0;  // dense seconds to ticket seconds: median and extremes of the pairs
  double dense_seconds = 0, ticket_seconds = 0;  // of a step, medians
};

// How many times as long as at the draw (PairedSteps) a step took, where that is more than a quarter more or
// less: the machine was busy, then or at the draw, and the seconds are no measure of the network's. None if
// it fits, or if nothing is known.
Number misfit(Number train_seconds, Count steps, double step_seconds);

struct DrawRecord {
  Number ratio;
  Count epoch, step;
  Words found_by, file, dense;  // in the run directory: the ticket, and the network it was drawn from
  Number dense_test_top1, dense_test_top5, compaction_ms;
  Number max_abs_difference;  // between the outputs of the masked and of the compacted network
  std::optional<PairedSteps> steps;
  // Channels the ratio asks to prune, and that the ticket prunes; why others came back (pruning::Hold).
  Count asked, pruned;
  std::map<std::string, int64_t> returned;
};

struct SearchRecord {
  std::map<std::string, Count> epochs, steps;  // at which a ratio's ticket emerged, by the ratio's name
  Count window;
  Number threshold;
  Words compare, rule;
  Number ms_per_check;
  std::optional<DrawRecord> draw;
  std::map<std::string, std::string> tickets;  // files in the run directory, of the ratios that have emerged
};

// How much faster a step of the ticket is than one of the dense network.
struct SpeedupRecord {
  Number counted, measured;  // in FLOPs; in time, the median of pairs of steps (PairedSteps)
  Number least, most;        // of the pairs
  Count pairs;
};

struct RunSummary {
  std::optional<uint64_t> seed;
  Words name;
  Count steps, epochs, samples_per_epoch, steps_per_epoch;
  std::vector<PhaseRecord> phases;
  std::optional<BestRecord> best;
  std::optional<std::set<std::string>> bad_samples;
  Number total_training_flops, train_seconds;
  std::optional<NetworkRecord> dense, ticket;
  std::optional<SearchRecord> search;  // of a run that looked for a ticket
  Number max_abs_difference;           // see DrawRecord; of a run that went on with the ticket
  std::optional<SpeedupRecord> speedup;
  std::optional<AveragedRecord> averaged;
};

nlohmann::json to_json(const BestRecord& best);
BestRecord best_from_json(const nlohmann::json& j);
nlohmann::json to_json(const DrawRecord& draw);
DrawRecord draw_from_json(const nlohmann::json& j);
AveragedRecord averaged_from_json(const nlohmann::json& j);
nlohmann::json to_json(const RunSummary& summary);
RunSummary summary_from_json(const nlohmann::json& j);

// --- status.json ---

struct RunStatus {
  Words phase;
  Count step;
  Words heartbeat;  // UTC
  Count pid;
  Words host;
  std::optional<RunSummary> summary;  // as it would have been then
  Count exit_code;                    // none while the run goes on, or if its process was killed
  Words error;                        // what it failed with
};

nlohmann::json to_json(const RunStatus& status);
RunStatus status_from_json(const nlohmann::json& j);

// --- a checkpoint ---

// How far a run had come, of a checkpoint's state.
struct ProgressRecord {
  Count step, epoch, batch, steps_per_epoch;
  std::vector<PhaseRecord> phases;
  std::optional<BestRecord> best;
};
ProgressRecord progress_from_json(const nlohmann::json& state);

}  // namespace eb::engine
