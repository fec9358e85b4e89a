// The train, checkpoint, precision and log sections of a Config as plain members.
#pragma once
#include <optional>
#include <string>

#include "engine/base/duration.h"
#include "engine/bfp/precision.h"
#include "engine/model/optimizer.h"
#include "engine/model/schedule.h"
#include "engine/tensor/tensor.h"

namespace eb::engine {

class Config;

// Of log.energy and log.report.
enum class LogEnergy : uint8_t { automatic, off };
constexpr auto enum_names(LogEnergy) {
  return names("auto", "off");
}
enum class LogReport : uint8_t { at_end, off };
constexpr auto enum_names(LogReport) {
  return names("end", "off");
}

// Of distributed.check.
enum class CheckRanks : uint8_t { epoch, step, off };
constexpr auto enum_names(CheckRanks) {
  return names("epoch", "step", "off");
}

struct TrainConfig {
  uint64_t seed = 1;
  Duration duration;
  int64_t batch_size = 0, eval_batch_size = 0;  // global
  float lr = 0.1f, label_smoothing = 0.f;
  Sgd::Config optimizer;
  Schedule schedule;
  DType compute = DType::f32;
  PhasePrecision precision;
  bool deterministic = false;
  Duration checkpoint_every;
  double checkpoint_every_minutes = 0;  // 0: never by the clock
  int64_t keep_last = 3, keep_best = 1;
  std::optional<Duration> milestones;
  int64_t log_every = 50;    // steps
  bool energy = true;        // measured where the machine tells it
  int64_t agree_every = 10;  // steps between what ranks tell each other
  CheckRanks check_ranks = CheckRanks::epoch;
  std::optional<int64_t> max_steps;  // stop with a checkpoint when the run's step counter gets here
};

TrainConfig train_config(const Config& config);

}  // namespace eb::engine
