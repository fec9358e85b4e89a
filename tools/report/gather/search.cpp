#include "tools/report/gather/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "pruning/early_bird.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
using pruning::MaskRecords;
namespace fs = std::filesystem;

// Watched ratios; where the config does not tell, those that have masks.
static std::vector<double> ratios_of(const RunFiles& run) {
  if (run.known) return pruning::early_bird_config(*run.known).watch;
  std::vector<double> ratios;
  std::error_code error;
  for (fs::directory_iterator it(run.path / file_names::masks, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().stem().string();
    if (it->path().extension() == file_names::mask_extension && name.size() > 1 && name[0] == 'p')
      ratios.push_back(std::strtod(name.c_str() + 1, nullptr) / 100);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

// What an epoch's line says of a ratio.
static MaskCheck check_of(const EpochRecord& epoch, const std::string& name) {
  const auto found = epoch.masks.find(name);
  return found == epoch.masks.end() ? MaskCheck{} : found->second;
}

size_t masks_drawn(const RunFiles& run, double ratio) {
  const std::string name = pruning::ratio_name(ratio);
  const auto told = std::count_if(run.epochs.begin(), run.epochs.end(),
                                  [&](const EpochRecord& e) { return check_of(e, name).kept.has_value(); });
  const auto* saved = run.search ? run.search->search.of(ratio) : nullptr;
  return static_cast<size_t>(std::max<int64_t>(told, saved ? saved->records : 0));
}

// Named as they lie in the run: a reader of the report may have moved it.
static MaskRecords masks_of(RunFiles& run, double ratio) {
  const std::string name =
      fmt::format("{}/{}", file_names::masks, file_names::mask_file(pruning::ratio_name(ratio)));
  const size_t drawn = masks_drawn(run, ratio);
  std::error_code error;
  if (!fs::exists(run.path / name, error)) {
    if (drawn > 0) run.warnings.push_back(name + " is missing: its masks cannot be compared");
    return {};
  }
  try {
    MaskRecords records = pruning::read_mask_history(run.path / name);
    if (records.masks.size() < drawn)
      run.warnings.push_back(
          fmt::format("{} is cut off: it holds {} of {} masks", name, records.masks.size(), drawn));
    return records;
  } catch (const Error& e) {
    run.warnings.push_back(e.code() == errors::mask_history ? name + " is damaged and was left out"
                                                            : utf8(e.message()));
    return {};
  }
}

static EpochNumber epoch_of_step(const RunFiles& run, int64_t step) {
  return {static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, steps_per_epoch(run)))};
}

// By its step where that is known: a moment between two epochs has a fraction.
static std::optional<EpochNumber> epoch_of(const RunFiles& run, Count epoch, Count step) {
  if (!epoch) return std::nullopt;
  if (step && steps_per_epoch(run) > 0) return epoch_of_step(run, *step);
  return EpochNumber{static_cast<double>(*epoch)};
}

static Duration rhythm_of(const RunFiles& run) {
  const json* every = config_value(run.config, "early_bird.every");
  try {
    if (every && every->is_string()) return parse_duration(every->get<std::string>());
  } catch (const Error&) {
  }
  return {Duration::Unit::epochs, 1};
}

// Epochs after which `n` masks were drawn: as metrics.jsonl tells them, or by the rhythm of the checks.
// Checks every some steps lie between epochs.
static std::vector<double> mask_epochs(const RunFiles& run, const std::string& name, size_t n) {
  std::vector<double> epochs;
  const Duration rhythm = rhythm_of(run);
  if (rhythm.unit == Duration::Unit::steps) {
    for (size_t i = 1; i <= n; ++i)
      epochs.push_back(epoch_of_step(run, rhythm.count * static_cast<int64_t>(i)).value);
    return epochs;
  }
  for (const EpochRecord& e : run.epochs)
    if (check_of(e, name).kept && epochs.size() < n) epochs.push_back(static_cast<double>(e.epoch));
  while (epochs.size() < n)
    epochs.push_back((epochs.empty() ? 0 : epochs.back()) + static_cast<double>(rhythm.count));
  return epochs;
}

static Count kept_channels(const MaskRecords& records) {
  if (records.masks.empty()) return std::nullopt;
  int64_t kept = 0;
  for (uint64_t word : records.masks.back()) kept += std::popcount(word);
  return kept;
}

using Verdicts = std::vector<pruning::EarlyBirdDetector::Verdict>;

// What the detector of the run would say of these masks; nothing where its config is not understood.
static Verdicts replay(const RunFiles& run, const MaskRecords& records) {
  Verdicts verdicts;
  if (!run.known || records.bits == 0) return verdicts;
  pruning::EarlyBirdDetector detector(pruning::early_bird_config(*run.known).detector, records.bits);
  for (const auto& mask : records.masks) verdicts.push_back(detector.push(mask));
  return verdicts;
}

// Position of the mask with which the ticket emerged.
static std::optional<size_t> emerged_index(const Verdicts& verdicts) {
  const auto found = std::find_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.emerged; });
  return found == verdicts.end() ? std::nullopt : std::optional<size_t>(found - verdicts.begin());
}

// In the run's own words.
static std::optional<EpochNumber> emerged_epoch(const RunFiles& run, const std::string& name) {
  if (!run.summary || !run.summary->search) return std::nullopt;
  const auto of = [&](const std::map<std::string, Count>& counts) {
    const auto found = counts.find(name);
    return found == counts.end() ? std::nullopt : found->second;
  };
  return epoch_of(run, of(run.summary->search->epochs), of(run.summary->search->steps));
}

// As each epoch's line tells them: of its last check.
static std::vector<WindowDistance> distances_of_epochs(const RunFiles& run, const std::string& name) {
  std::vector<WindowDistance> points;
  for (const EpochRecord& e : run.epochs)
    if (const Number distance = check_of(e, name).distance)
      points.push_back({{static_cast<double>(e.epoch)}, distance});
  return points;
}

// Checks between epochs are told by their masks alone.
static std::vector<WindowDistance> distances_of_masks(const Verdicts& verdicts,
                                                      const std::vector<double>& epochs) {
  std::vector<WindowDistance> points;
  for (size_t i = 0; i < verdicts.size(); ++i)
    if (const auto& d = verdicts[i].distances; !d.empty())
      points.push_back({{epochs[i]}, *std::max_element(d.begin(), d.end())});
  return points;
}

// Checks every few steps make thousands of masks: what is shown is every so many-th and the last.
constexpr size_t most_masks = 400;

static std::vector<size_t> shown_masks(RunFiles& run, const std::string& name, size_t n) {
  const size_t stride = std::max<size_t>(1, (n + most_masks - 1) / most_masks);
  if (stride > 1) run.warnings.push_back(fmt::format("{}: of {} masks every {}. is shown", name, n, stride));
  std::vector<size_t> shown;
  for (size_t i = 0; i < n; ++i)
    if ((n - 1 - i) % stride == 0) shown.push_back(i);
  return shown;
}

template <class T>
static std::vector<T> pick(const std::vector<T>& all, const std::vector<size_t>& positions) {
  std::vector<T> picked;
  for (size_t i : positions) picked.push_back(all[i]);
  return picked;
}

static RatioReport ratio_report(RunFiles& run, double ratio) {
  const std::string name = pruning::ratio_name(ratio);
  MaskRecords records = masks_of(run, ratio);
  const std::vector<double> epochs = mask_epochs(run, name, records.masks.size());
  const std::vector<size_t> shown = shown_masks(run, name, records.masks.size());
  RatioReport r{.ratio = ratio, .name = name};
  r.kept = kept_channels(records);
  r.emerged_epoch = emerged_epoch(run, name);
  const Verdicts verdicts = replay(run, records);
  if (const auto index = emerged_index(verdicts)) {
    if (!r.emerged_epoch) r.emerged_epoch = EpochNumber{epochs[*index]};
    r.emerged_index = std::lower_bound(shown.begin(), shown.end(), *index) - shown.begin();
  }
  r.window_distance = rhythm_of(run).unit == Duration::Unit::epochs ? distances_of_epochs(run, name)
                                                                    : distances_of_masks(verdicts, epochs);
  if (run.summary && run.summary->search)
    if (const auto& files = run.summary->search->tickets; files.count(name)) r.ticket = files.at(name);
  records.masks = pick(records.masks, shown);
  if (records.bits) r.bits = records.bits;
  for (const double epoch : pick(epochs, shown)) r.epochs.push_back({epoch});
  r.differing = pruning::pairwise_differences(records);
  return r;
}

// The run's own words, or what the ticket's file says of itself.
static std::optional<DrawRecord> draw_report(const RunFiles& run,
                                             const std::optional<pruning::Ticket>& ticket) {
  if (draw_of(run) || !ticket) return draw_of(run);
  DrawRecord draw;
  draw.ratio = ticket->ratio;
  draw.epoch = ticket->epoch;
  draw.step = ticket->step;
  return draw;
}

std::optional<SearchReport> search_of(RunFiles& run, const std::optional<pruning::Ticket>& ticket) {
  const json& section = lenient::value(run.config, "early_bird");
  if (lenient::value(section, "enabled") == false) return std::nullopt;
  SearchReport search;
  for (double ratio : ratios_of(run)) search.ratios.push_back(ratio_report(run, ratio));
  if (search.ratios.empty()) return std::nullopt;
  search.threshold = lenient::number(section, "threshold");
  search.window = lenient::integer(section, "window");
  search.compare = lenient::words(section, "compare");
  search.criterion = lenient::words(section, "criterion");
  search.rule = lenient::words(section, "rule");
  search.draw = draw_report(run, ticket);
  if (search.draw) search.draw_epoch = epoch_of(run, search.draw->epoch, search.draw->step);
  return search;
}

}  // namespace eb::tools
