#include "pruning/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/duration.h"
#include "engine/base/error_codes.h"
#include "pruning/early_bird.h"

namespace eb::pruning {

using engine::Config;
using engine::Field;
using engine::names_of;
using engine::Table;
using Type = Field::Type;

static std::vector<Field> search_fields() {
  return {
      Field{"early_bird.enabled", Type::boolean, true,
            "Search for a ticket; false trains the dense network to the end."},
      Field{"early_bird.preset", Type::string, nullptr,
            "you2020: min_channels 1, round_to 1, after.optimizer_state reset, data.holdout 0, as in the "
            "paper's "
            "code; your own values win."}
          .one_of({"you2020"})
          .or_null(),
      Field{"early_bird.criterion", Type::string, EarlyBirdConfig::Criterion::bn_gamma,
            "Channels that the drawn ticket keeps: those with the largest |gamma|. Controls: random, any "
            "channels; random_per_layer, random ones, as many in every layer as bn_gamma keeps. The detector "
            "looks at |gamma| in any case."}
          .one_of(names_of<EarlyBirdConfig::Criterion>()),
      Field{"early_bird.scope", Type::string, "global", "All layers compete for the same number of channels."}
          .one_of({"global"})
          .not_yet({"layer"}),
      Field{"early_bird.l1", Type::number, 1e-4,
            "Factor of sign(gamma) added to the gradient of every batch norm scale."}
          .range(0, 1),
      Field{"early_bird.watch",
            Type::list_of_numbers,
            {0.3, 0.5, 0.7},
            "Pruning ratios that are watched: share of all channels to prune."}
          .between(0, 1),
      Field{"early_bird.draw", Type::number, 0.5,
            "Ratio whose ticket is drawn; added to `watch` if it is not there."}
          .between(0, 1),
      Field{"early_bird.rule", Type::string, Rule::exact_k,
            "exact_k prunes exactly trunc(ratio * channels), ties by channel order; reference keeps |gamma| "
            "strictly above the sorted value at that index."}
          .one_of(names_of<Rule>()),
      Field{"early_bird.merge", Type::string, Merge::mean,
            "Score of channels that several batch norms share through additions: mean or max of theirs."}
          .one_of(names_of<Merge>()),
      Field{"early_bird.distance", Type::string, "hamming",
            "Distance of two masks: share of channels that differ."}
          .one_of({"hamming"}),
      Field{"early_bird.compare", Type::string, EarlyBirdDetector::Compare::newest_vs_window,
            "Distances looked at: the newest mask against each other one in the window, or each mask against "
            "the "
            "next."}
          .one_of(names_of<EarlyBirdDetector::Compare>()),
      Field{"early_bird.window", Type::integer, 5, "Masks in the window."}.range(2, 1000),
      Field{"early_bird.threshold", Type::number, 0.1,
            "The ticket has emerged when no distance is above this."}
          .range(0, 1),
      Field{"early_bird.every", Type::duration, "1ep", "Time between two masks."},
      Field{"early_bird.draw_at", Type::duration, nullptr,
            "Draw the ticket then, between two masks too, whatever the detector says; train.duration draws "
            "from "
            "the trained network, and needs early_bird.after.schedule \"restart\"."}
          .or_null(),
      Field{"early_bird.deadline", Type::duration, nullptr,
            "When on_not_found applies, between two masks too; null is half of train.duration for "
            "draw_at_deadline, else the end of "
            "training."}
          .or_null(),
      Field{"early_bird.on_not_found", Type::string, EarlyBirdConfig::OnNotFound::draw_at_deadline,
            "No ticket by the deadline: draw there, go on with the dense network, or stop with exit code 10."}
          .one_of(names_of<EarlyBirdConfig::OnNotFound>()),
  };
}

static std::vector<Field> ticket_fields() {
  return {
      Field{"early_bird.min_channels", Type::integer, 8,
            "No layer gets fewer channels than this (or than it has); the largest |gamma| survive."}
          .range(1, 65'536),
      Field{"early_bird.round_to", Type::integer, 8,
            "Channel counts are rounded to a multiple of this; 1 leaves them."}
          .range(1, 65'536),
      Field{"early_bird.round", Type::string, RoundTo::up,
            "Direction of round_to; pad keeps the ticket as drawn and fills up with channels that stay zero."}
          .one_of(names_of<RoundTo>()),
      Field{"early_bird.protect", Type::list_of_strings, nlohmann::json::array(),
            "Batch norms whose channels are never pruned, by id or pattern (\"layer1.*\")."},
      Field{"early_bird.after.optimizer_state", Type::string, MomentumRule::carry,
            "Momentum after compaction: gathered with its channels, or zero."}
          .one_of(names_of<MomentumRule>()),
      Field{"early_bird.after.schedule", Type::string, EarlyBirdConfig::Schedule::go_on,
            "Learning rate after compaction: goes on, or starts anew."}
          .one_of(names_of<EarlyBirdConfig::Schedule>()),
      Field{"early_bird.after.weights", Type::string, EarlyBirdConfig::Weights::keep,
            "Weights of the ticket: inherited, drawn anew, or those the channels had at the very start."}
          .one_of(names_of<EarlyBirdConfig::Weights>()),
      Field{"early_bird.after.l1", Type::boolean, true, "early_bird.l1 goes on after compaction."},
  };
}

static void watch_rule(Config& c) {
  auto watch = c.get<std::vector<double>>("early_bird.watch");
  std::sort(watch.begin(), watch.end());
  if (std::adjacent_find(watch.begin(), watch.end()) != watch.end())
    throw c.error(errors::keys_contradict, "early_bird.watch", "a ratio is listed twice",
                  "list each ratio once");
  const double draw = c.get<double>("early_bird.draw");
  if (std::find(watch.begin(), watch.end(), draw) != watch.end()) return;
  watch.insert(std::upper_bound(watch.begin(), watch.end(), draw), draw);
  c.set("early_bird.watch", watch, "early_bird.draw");
}

static void every_rule(Config& c) {
  if (engine::parse_duration(c.get<std::string>("early_bird.every")).count == 0)
    throw c.error(errors::bad_value, "early_bird.every", "masks need time between them",
                  "use \"1ep\", or steps as in \"100st\"");
}

const Table& early_bird_fields() {
  static const Table table = [] {
    Table t{search_fields()};
    const auto ticket = ticket_fields();
    t.fields.insert(t.fields.end(), ticket.begin(), ticket.end());
    t.presets = {{"early_bird.preset",
                  "you2020",
                  {{"early_bird.min_channels", 1},
                   {"early_bird.round_to", 1},
                   {"early_bird.after.optimizer_state", MomentumRule::reset},
                   {"data.holdout", 0}}}};
    t.rules = {watch_rule, every_rule};
    return t;
  }();
  return table;
}

}  // namespace eb::pruning
