#include <algorithm>

#include "tools/report/gather/networks.h"

namespace eb::tools {

using namespace engine;

static Number seconds_of(const PhaseRecord& phase, const char* part) {
  if (!phase.seconds) return std::nullopt;
  const auto found = phase.seconds->find(part);
  return found == phase.seconds->end() ? std::nullopt : Number(found->second);
}

// What the whole phase took, less what is accounted for. Steps whose parts are not known are one part.
static Number other_seconds(const PhaseRecord& phase, const PhaseSeconds& s) {
  const Number wall = seconds_of(phase, "wall");
  if (!wall) return std::nullopt;
  double rest = *wall;
  if (!s.forward) rest -= s.training.value_or(0);
  for (const Number& part :
       {s.backward, s.checkpoint, s.data_wait, s.early_bird, s.evaluation, s.forward, s.optimizer})
    rest -= part.value_or(0);
  return std::max(0.0, rest);
}

static PhaseSeconds split_seconds(const PhaseRecord& phase) {
  PhaseSeconds s{.training = phase.train_seconds,
                 .data_wait = phase.data_wait_seconds,
                 .forward = seconds_of(phase, "forward"),
                 .backward = seconds_of(phase, "backward"),
                 .optimizer = seconds_of(phase, "optimizer"),
                 .early_bird = seconds_of(phase, "early_bird"),
                 .evaluation = phase.eval_seconds,
                 .checkpoint = seconds_of(phase, "checkpoint"),
                 .other = {}};
  s.other = other_seconds(phase, s);
  return s;
}

static std::optional<EpochNumber> start_epoch(Count step, int64_t per_epoch) {
  if (!step || (*step > 0 && per_epoch <= 0)) return std::nullopt;
  return EpochNumber{*step == 0 ? 0 : static_cast<double>(*step) / static_cast<double>(per_epoch)};
}

static PhaseReport phase_report(const PhaseRecord& phase, int64_t per_epoch) {
  return {.name = phase.name,
          .start_epoch = start_epoch(phase.start_step, per_epoch),
          .precision = phase.format.precision,
          .images_per_s = phase.images_per_s(),
          .seconds = split_seconds(phase),
          .energy_method = phase.energy_method,
          .bytes = phase.format.bytes,
          .start_step = phase.start_step,
          .steps = phase.steps,
          .samples = phase.samples,
          .params = phase.params,
          .flops_per_image = phase.flops_per_image,
          .macs_per_image = phase.macs_per_image,
          .peak_memory_bytes = phase.peak_memory_bytes,
          .joules = phase.joules};
}

std::vector<PhaseReport> phase_reports(const RunFiles& run) {
  std::vector<PhaseReport> phases;
  for (const PhaseRecord& phase : phases_of(run)) phases.push_back(phase_report(phase, steps_per_epoch(run)));
  return phases;
}

}  // namespace eb::tools
