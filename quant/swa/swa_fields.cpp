#include "quant/swa/swa_fields.h"

#include "engine/base/duration.h"
#include "engine/base/error_codes.h"
#include "quant/swa/weight_average.h"

namespace eb::quant {

using engine::Config;
using engine::Duration;
using engine::Field;
using engine::Table;
using Type = Field::Type;

// The start that was left out is Izmailov et al.'s: averaging takes the last quarter of the training.
static void start_rule(Config& c) {
  if (!c.get<bool>("swa.enabled")) return;
  Duration total = engine::parse_duration(c.get<std::string>("train.duration"));
  if (c.is_null("swa.start")) {
    total.count = total.count * 3 / 4;
    c.set("swa.start", to_string(total), "three quarters of train.duration");
    return;
  }
  const Duration start = engine::parse_duration(c.get<std::string>("swa.start"));
  if (start.unit == total.unit && start.count >= total.count)
    throw c.error(errors::keys_contradict, "swa.start",
                  "no epoch would be left to average: train.duration is " + to_string(total),
                  "start earlier, or set it to null for three quarters of the training");
}

const Table& swa_fields() {
  static const Table table = {
      {Field{"swa.enabled", Type::boolean, false,
             "Stochastic weight averaging: the mean of the weights at the ends of the last epochs becomes a "
             "model of its own, in RUN/swa."},
       Field{"swa.start", Type::duration, nullptr,
             "Epochs that end later than this are averaged (\"140ep\" of 160: the last 20), counted like the "
             "schedule; compaction starts anew. null: three quarters of train.duration."}
           .or_null(),
       Field{"swa.evaluate", Type::string, WeightAverageConfig::Evaluate::at_end,
             "When batch norm statistics are estimated anew, by a pass over the training data, and the model "
             "evaluated and saved: at the end, or after every averaged epoch."}
           .one_of(engine::names_of<WeightAverageConfig::Evaluate>())},
      {},
      {start_rule}};
  return table;
}

}  // namespace eb::quant
