#include "tools/compare/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::tools {

namespace {

// How a variant differs from the experiment. A ratio is drawn once each; "early" once for each epoch too.
struct Variant {
  CompareVariant info;
  bool has_ratio, has_epoch;
  std::vector<std::string> sets;  // {duration} stands for the plan's
};

const std::vector<Variant>& variants() {
  static const std::vector<Variant> table = {
      {{"dense", "the network as it is, trained to the end"}, false, false, {"early_bird.enabled=false"}},
      {{"eb", "Early-Bird: the ticket goes on with its weights"}, true, false, {}},
      {{"reinit", "the Early-Bird ticket's structure with new weights, trained for the whole duration"},
       true,
       false,
       {"early_bird.after.weights=reinit", "early_bird.after.schedule=restart"}},
      {{"random", "random channels, as many in every layer as the Early-Bird ticket keeps"},
       true,
       false,
       {"early_bird.criterion=random_per_layer"}},
      {{"random-global", "random channels anywhere, as many over all layers"},
       true,
       false,
       {"early_bird.criterion=random"}},
      {{"ns", "network slimming: trained to the end, pruned, trained once more"},
       true,
       false,
       {"early_bird.draw_at={duration}", "early_bird.deadline=null", "early_bird.after.schedule=restart"}},
      {{"rewind", "lottery ticket: trained to the end, pruned, first weights, trained once more"},
       true,
       false,
       {"early_bird.draw_at={duration}", "early_bird.deadline=null", "early_bird.after.weights=rewind",
        "early_bird.after.schedule=restart"}},
      {{"early", "drawn at the epochs of --draw-epochs, whatever the detector says"},
       true,
       true,
       {"early_bird.draw_at={epoch}ep", "early_bird.deadline=null"}},
  };
  return table;
}

const Variant* find_if_any(const std::string& name) {
  for (const Variant& v : variants())
    if (name == v.info.name) return &v;
  return nullptr;
}

const Variant& find(const std::string& name) {
  if (const Variant* v = find_if_any(name)) return *v;
  std::vector<std::string> names;
  for (const Variant& v : variants()) names.push_back(v.info.name);
  const std::string near = did_you_mean(name, names);
  throw Error(errors::unknown_variant, fmt::format("no variant is called \"{}\"", name),
              near.empty() ? fmt::format("one of {}", fmt::join(names, ", "))
                           : fmt::format("did you mean \"{}\"?", near));
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

// All runs watch all ratios, so that one search serves each of them.
void add_watch(const ComparePlan& plan, PlannedRun& run) {
  std::set<double> all(plan.watch.begin(), plan.watch.end());
  all.insert(plan.ratios.begin(), plan.ratios.end());
  if (all.size() > plan.watch.size())
    run.sets.push_back(fmt::format("early_bird.watch=[{}]", fmt::join(all, ",")));
}

PlannedRun planned(const ComparePlan& plan, const Variant& v, const double* ratio, int64_t epoch,
                   int64_t seed) {
  PlannedRun run{v.info.name, v.info.name, seed, v.has_ratio, {}};
  if (v.has_epoch) {
    run.name += fmt::format("-ep{}", epoch);
    run.row = fmt::format("drawn at epoch {}", epoch);
  }
  for (const std::string& set : v.sets)
    run.sets.push_back(
        replaced(replaced(set, "{duration}", plan.duration), "{epoch}", std::to_string(epoch)));
  if (ratio) {
    run.name += fmt::format("-p{:g}", *ratio * 100);
    run.row += fmt::format(" p={:g}", *ratio);
    run.sets.push_back(fmt::format("early_bird.draw={}", *ratio));
    add_watch(plan, run);
  }
  run.name += fmt::format("-seed{}", seed);
  run.sets.push_back(fmt::format("seed={}", seed));
  return run;
}

void add_variant(const ComparePlan& plan, const Variant& v, int64_t seed, std::vector<PlannedRun>& runs) {
  const std::vector<int64_t> epochs = v.has_epoch ? plan.draw_epochs : std::vector<int64_t>{0};
  for (const int64_t epoch : epochs) {
    if (!v.has_ratio) runs.push_back(planned(plan, v, nullptr, epoch, seed));
    for (size_t i = 0; v.has_ratio && i < plan.ratios.size(); ++i)
      runs.push_back(planned(plan, v, &plan.ratios[i], epoch, seed));
  }
}

// Each name once; two runs of one name that differ would share a directory.
std::vector<PlannedRun> without_repeats(std::vector<PlannedRun> runs) {
  std::vector<PlannedRun> once;
  for (PlannedRun& run : runs) {
    const auto same = [&](const PlannedRun& other) { return other.name == run.name; };
    const auto found = std::find_if(once.begin(), once.end(), same);
    if (found == once.end())
      once.push_back(std::move(run));
    else if (found->sets != run.sets)
      throw Error(errors::ratio_names_clash,
                  fmt::format("two ratios of --ratios would both be called {}", run.name),
                  "six digits of a percentage tell ratios apart");
  }
  return once;
}

// The number behind `letter`s in a part of a name: 50 in "p50".
template <class T>
std::optional<T> number_after(const std::string& letters, const std::string& part) {
  T value{};
  if (!part.starts_with(letters)) return std::nullopt;
  const char* end = part.data() + part.size();
  const auto [stop, error] = std::from_chars(part.data() + letters.size(), end, value);
  return error == std::errc() && stop == end ? std::optional<T>(value) : std::nullopt;
}

// Cuts "-p50" off the end of a name and returns 50.
template <class T>
std::optional<T> cut_number(std::string& name, const std::string& letters) {
  const size_t dash = name.rfind('-');
  if (dash == std::string::npos) return std::nullopt;
  const std::optional<T> value = number_after<T>(letters, name.substr(dash + 1));
  if (value) name.resize(dash);
  return value;
}

}  // namespace

const std::vector<CompareVariant>& compare_variants() {
  static const std::vector<CompareVariant> list = [] {
    std::vector<CompareVariant> l;
    for (const Variant& v : variants()) l.push_back(v.info);
    return l;
  }();
  return list;
}

std::vector<PlannedRun> planned_runs(const ComparePlan& plan) {
  const bool early = std::count(plan.variants.begin(), plan.variants.end(), "early") > 0;
  if (early && plan.draw_epochs.empty())
    throw Error(errors::draw_epochs_alone, "the variant \"early\" needs the epochs to draw at",
                "--draw-epochs 2,5,10");
  if (!early && !plan.draw_epochs.empty())
    throw Error(errors::draw_epochs_alone,
                "--draw-epochs belong to the variant \"early\", which is not asked for",
                "add it to --variants");
  for (const double ratio : plan.ratios)
    if (!(ratio > 0 && ratio < 1))
      throw Error(errors::bad_ratio,
                  fmt::format("--ratios {}: a pruning ratio of {} keeps everything or nothing", ratio, ratio),
                  "give shares between 0 and 1, such as 0.3,0.5,0.7");
  std::vector<PlannedRun> runs;
  for (int64_t seed = plan.first_seed; seed < plan.first_seed + plan.seeds; ++seed)
    for (const std::string& name : plan.variants) add_variant(plan, find(name), seed, runs);
  return without_repeats(std::move(runs));
}

std::optional<PlannedRun> planned_run(const ComparePlan& plan, const std::string& name) {
  std::string rest = name;
  const auto seed = cut_number<int64_t>(rest, "seed");
  const auto percent = cut_number<double>(rest, "p");
  const auto epoch = cut_number<int64_t>(rest, "ep");
  const Variant* v = find_if_any(rest);
  if (!seed || !v || v->has_ratio != percent.has_value() || v->has_epoch != epoch.has_value())
    return std::nullopt;
  const double ratio = percent.value_or(0) / 100;
  const PlannedRun run = planned(plan, *v, percent ? &ratio : nullptr, epoch.value_or(0), *seed);
  return run.name == name ? std::optional<PlannedRun>(run) : std::nullopt;
}

}  // namespace eb::tools
