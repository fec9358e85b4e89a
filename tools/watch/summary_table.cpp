#include "tools/watch/summary_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/duration.h"
#include "engine/base/text.h"
#include "tools/record/numbers.h"
#include "tools/watch/progress.h"

namespace eb::tools {

using namespace engine;

static const char* const not_measured = "not measured";

static std::string cell(Number n, const std::string& format, double scale = 1) {
  return n ? fmt::format(fmt::runtime(format), *n * scale) : not_measured;
}

static std::string cell(Count n) {
  return n ? fmt::format("{}", *n) : not_measured;
}

static std::string seconds_cell(Number n) {
  return n ? format_seconds(*n) : not_measured;
}

// "40.1 MFLOPs"
static std::string flops_cell(Number n, const char* format) {
  const page::Unit unit = page::metric_unit(n.value_or(0), "FLOPs");
  return cell(n, format, 1 / unit.size) + " " + unit.name;
}

static std::string line(const std::string& label, const std::string& dense, const std::string& ticket,
                        const std::string& note = "") {
  return fmt::format("  {:<26}{:>16}{:>16}  {}\n", label, dense, ticket, note);
}

static std::string ratio(Number dense, Number ticket) {
  return dense && ticket && *dense != 0 ? fmt::format("{:.2f} of dense", *ticket / *dense) : "";
}

// Both in the unit of the larger one, for which {} stands in `label`.
static std::string flops_line(const char* label, Number dense, Number ticket, const char* format,
                              const std::string& note = "") {
  const page::Unit unit = page::metric_unit(std::max(dense.value_or(0), ticket.value_or(0)), "FLOPs");
  return line(fmt::format(fmt::runtime(label), unit.name), cell(dense, format, 1 / unit.size),
              cell(ticket, format, 1 / unit.size), ratio(dense, ticket) + note);
}

// An old run tells only the epochs.
static std::string emergence(const SearchRecord& search, Count steps_per_epoch) {
  std::string text;
  for (const auto& [ratio, epoch] : search.epochs) {
    const auto step = search.steps.find(ratio);
    const bool exact = steps_per_epoch.value_or(0) > 0 && step != search.steps.end() && step->second;
    text += fmt::format("  {} {}", ratio,
                        !epoch  ? "not found"
                        : exact ? moment(*step->second, *steps_per_epoch)
                                : fmt::format("epoch {}", *epoch));
  }
  return text;
}

static std::string dense_only(const NetworkRecord& d) {
  return fmt::format("  top-1 {}, loss {}, {} parameters, {} per image, {} in training, {}\n",
                     cell(d.test_top1, "{:.2f} %", 100), cell(d.test_loss, "{:.4f}"), cell(d.params),
                     flops_cell(d.flops_per_image, "{:.3g}"), flops_cell(d.training_flops, "{:.4g}"),
                     seconds_cell(d.seconds));
}

static std::string averaged(const std::optional<AveragedRecord>& a) {
  if (!a) return "";
  if (a->models == 0) return "  weight averaging (SWA): no epoch was averaged\n";
  return fmt::format("  mean of the weights of {} epoch{} from {} on (SWA): top-1 {}, top-5 {}, loss {}\n",
                     cell(a->models), a->models == 1 ? "" : "s", cell(a->start_epoch),
                     cell(a->top1, "{:.2f} %", 100), cell(a->top5, "{:.2f} %", 100), cell(a->loss, "{:.4f}"));
}

// Of a search and its retraining, where a part of the run was in 8 bit.
static std::string arithmetic_lines(const RunSummary& s) {
  if (s.phases.empty()) return "";
  const PhaseFormat &search = s.phases.front().format, &retrain = s.phases.back().format;
  if (search.precision != "8-bit" && retrain.precision != "8-bit") return "";
  const auto share = [](const PhaseFormat& f) -> std::string {
    const Number ops = f.int8_ops_per_training_image, flops = f.flops_per_training_image;
    return ops && flops ? fmt::format("{:.0f} %", 100 * *ops / (*ops + *flops)) : "no step taken";
  };
  const auto activations = [](const PhaseFormat& f) { return cell(f.bytes.activations, "{:.1f}", 0x1p-20); };
  return line("arithmetic", search.precision.value_or(""), retrain.precision.value_or("")) +
         line("int8 share of operations", share(search), share(retrain)) +
         line("MiB of activations a step", activations(search), activations(retrain));
}

static std::string pairs(const SpeedupRecord& s) {
  if (!s.pairs || !s.least || !s.most) return "";
  return fmt::format(" at the draw ({} pairs of steps in turn, {:.2f}x to {:.2f}x)", *s.pairs, *s.least,
                     *s.most);
}

static std::string both(const RunSummary& s, const NetworkRecord& d, const NetworkRecord& t) {
  const SpeedupRecord speedup = s.speedup.value_or(SpeedupRecord{});
  return line("", "dense", fmt::format("ticket p={}", or_null(t.ratio).dump())) +
         line("top-1", cell(d.test_top1, "{:.2f} %", 100), cell(t.test_top1, "{:.2f} %", 100),
              d.test_top1_note.value_or("")) +
         line("parameters", cell(d.params), cell(t.params), ratio(d.params, t.params)) +
         flops_line("{} per image", d.flops_per_image, t.flops_per_image, "{:.3g}") +
         flops_line("training {}", d.training_flops, t.training_flops, "{:.4g}", ", search included") +
         line("training seconds", seconds_cell(d.seconds), seconds_cell(t.seconds),
              d.seconds_note.value_or("")) +
         line("images/s in training", cell(d.images_per_s, "{:.0f}"), cell(t.images_per_s, "{:.0f}")) +
         arithmetic_lines(s) + line("energy, joules", cell(d.joules, "{:.0f}"), cell(t.joules, "{:.0f}")) +
         fmt::format(
             "  speed-up of a step: {} counted in FLOPs, {}{}\n", cell(speedup.counted, "{:.2f}x"),
             speedup.measured ? fmt::format("{:.2f}x measured", *speedup.measured) : "not measured in time",
             pairs(speedup));
}

static std::string left_out(const RunSummary& s) {
  if (!s.bad_samples || s.bad_samples->empty()) return "";
  constexpr size_t most = 5;
  std::vector<std::string> some;
  for (const std::string& name : *s.bad_samples)
    if (some.size() < most) some.push_back(printable(name));
  const size_t n = s.bad_samples->size();
  return fmt::format("  {} image{} could not be read and {} left out: {}{}\n", n, n == 1 ? "" : "s",
                     n == 1 ? "was" : "were", fmt::join(some, ", "), n > most ? ", ..." : "");
}

std::string summary_table(const RunSummary& s) {
  const NetworkRecord dense = s.dense.value_or(NetworkRecord{});
  std::string out = fmt::format("\n{}, seed {}\n", s.name.value_or("run"), or_null(s.seed).dump());
  if (s.search) out += "  Early-Bird tickets:" + emergence(*s.search, s.steps_per_epoch) + "\n";
  return out + (s.ticket ? both(s, dense, *s.ticket) : dense_only(dense)) + averaged(s.averaged) +
         left_out(s);
}

}  // namespace eb::tools
