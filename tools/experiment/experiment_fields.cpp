#include "tools/experiment/experiment_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/fields.h"
#include "engine/base/duration.h"
#include "engine/base/error_codes.h"
#include "engine/train/fields.h"
#include "pruning/early_bird.h"
#include "pruning/fields.h"
#include "quant/fields.h"
#include "quant/swa/swa_fields.h"
#include "tools/experiment/model_rules.h"

namespace eb::tools {

using engine::Config;
using engine::Duration;
using engine::name_of;
using engine::Phase;
using engine::Table;
using EarlyBird = pruning::EarlyBirdConfig;

static void draw_at_rule(Config& c, Duration total) {
  const Duration at = engine::parse_duration(c.get<std::string>("early_bird.draw_at"));
  if (!c.is_null("early_bird.deadline"))
    throw c.error(errors::keys_contradict, "early_bird.draw_at",
                  "the draw is fixed, so early_bird.deadline has no meaning", "set one of the two to null");
  if (at.count == 0)
    throw c.error(errors::bad_value, "early_bird.draw_at", "the first ticket is drawn after some training",
                  "use \"1ep\" or later");
  const bool restart =
      c.get<EarlyBird::Schedule>("early_bird.after.schedule") == EarlyBird::Schedule::restart;
  if (at.unit == total.unit && (at.count > total.count || (at.count == total.count && !restart)))
    throw c.error(errors::keys_contradict, "early_bird.draw_at",
                  "nothing is left to train the ticket after train.duration " + to_string(total),
                  at.count == total.count ? "set early_bird.after.schedule to \"restart\"" : "draw earlier");
}

// A deadline that was left out becomes explicit, so that nobody after this has to know the rule.
static void deadline_rule(Config& c) {
  if (!c.get<bool>("early_bird.enabled")) return;
  Duration total = engine::parse_duration(c.get<std::string>("train.duration"));
  if (!c.is_null("early_bird.draw_at")) return draw_at_rule(c, total);
  if (c.is_null("early_bird.deadline")) {
    if (c.get<EarlyBird::OnNotFound>("early_bird.on_not_found") != EarlyBird::OnNotFound::draw_at_deadline)
      return;
    total.count = (total.count + 1) / 2;
    c.set("early_bird.deadline", to_string(total), "half of train.duration");
    return;
  }
  const Duration deadline = engine::parse_duration(c.get<std::string>("early_bird.deadline"));
  if (deadline.unit == total.unit && deadline.count > total.count)
    throw c.error(errors::keys_contradict, "early_bird.deadline",
                  "later than the end of training, train.duration " + to_string(total),
                  "set it to null for half of the training");
}

// Without a ticket there is no retraining.
static void retrain_rule(Config& c) {
  const auto phases = c.get<std::vector<Phase>>("precision.phases");
  if (phases == std::vector{Phase::retrain} && !c.get<bool>("early_bird.enabled"))
    throw c.error(errors::keys_contradict, "precision.phases",
                  "retraining in 8 bit, but early_bird.enabled is false",
                  "use [\"search\"], which is the whole of a dense run");
}

const Table& experiment_fields() {
  static const Table table = [] {
    Table t =
        engine::concatenate({&engine::engine_fields(), &data::data_fields(), &pruning::early_bird_fields(),
                             &quant::precision_fields(), &quant::swa_fields()});
    t.rules.insert(t.rules.end(), {deadline_rule, retrain_rule, graph_rule, classes_rule, image_rule,
                                   batch_norm_rule, ticket_rule});
    return t;
  }();
  return table;
}

}  // namespace eb::tools
