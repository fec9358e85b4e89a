#include "tools/watch/summary_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/record/numbers.h"
#include "tools/watch/progress.h"

namespace eb::tools {

using nlohmann::json;

static std::string cell(const json& row, const char* key, const std::string& format, double scale = 1) {
  if (!row.contains(key) || row[key].is_null()) return "not measured";
  return fmt::format(fmt::runtime(format), row[key].get<double>() * scale);
}

static std::string seconds_cell(const json& row, const char* key) {
  return row.contains(key) && row[key].is_number() ? format_seconds(row[key]) : "not measured";
}

static double number_in(const json& row, const char* key) {
  return row.contains(key) && row[key].is_number() ? row[key].get<double>() : 0;
}

// "40.1 MFLOPs"
static std::string flops_cell(const json& row, const char* key, const char* format) {
  const page::Unit unit = page::metric_unit(number_in(row, key), "FLOPs");
  return cell(row, key, format, 1 / unit.size) + " " + unit.name;
}

static std::string line(const std::string& label, const std::string& dense, const std::string& ticket,
                        const std::string& note = "") {
  return fmt::format("  {:<26}{:>16}{:>16}  {}\n", label, dense, ticket, note);
}

static std::string ratio(const json& a, const json& b, const char* key) {
  if (!a.contains(key) || !b.contains(key) || !a[key].is_number() || !b[key].is_number() || a[key] == 0)
    return "";
  return fmt::format("{:.2f} of dense", b[key].get<double>() / a[key].get<double>());
}

// Both in the unit of the larger one, for which {} stands in `label`.
static std::string flops_line(const char* label, const json& d, const json& t, const char* key,
                              const char* format, const std::string& note = "") {
  const page::Unit unit = page::metric_unit(std::max(number_in(d, key), number_in(t, key)), "FLOPs");
  return line(fmt::format(fmt::runtime(label), unit.name), cell(d, key, format, 1 / unit.size),
              cell(t, key, format, 1 / unit.size), ratio(d, t, key) + note);
}

static std::string emergence(const json& eb) {
  std::string text;
  for (const auto& [ratio, epoch] : eb["epochs"].items())
    text += fmt::format("  {} {}", ratio,
                        epoch.is_null() ? "not found" : fmt::format("epoch {}", epoch.get<int64_t>()));
  return text;
}

static std::string dense_only(const json& d) {
  return fmt::format("  top-1 {}, loss {}, {} parameters, {} per image, {} in training, {}\n",
                     cell(d, "test_top1", "{:.2f} %", 100), cell(d, "test_loss", "{:.4f}"),
                     cell(d, "params", "{:.0f}"), flops_cell(d, "flops_per_image", "{:.3g}"),
                     flops_cell(d, "training_flops", "{:.4g}"), seconds_cell(d, "seconds"));
}

static std::string averaged(const json& swa) {
  if (swa["models"] == 0) return "  weight averaging (SWA): no epoch was averaged\n";
  return fmt::format("  mean of the weights of {} epoch{} from {} on (SWA): top-1 {}, top-5 {}, loss {}\n",
                     swa["models"].dump(), swa["models"] == 1 ? "" : "s", swa["start_epoch"].dump(),
                     cell(swa, "top1", "{:.2f} %", 100), cell(swa, "top5", "{:.2f} %", 100),
                     cell(swa, "loss", "{:.4f}"));
}

// Search and retraining side by side, where a part of the run was in 8 bit.
static std::string arithmetic_lines(const json& s) {
  const json &search = s["phases"][0], &retrain = s["phases"].back();
  const auto precision = [](const json& p) { return p.value("precision", std::string()); };
  if (precision(search) != "8-bit" && precision(retrain) != "8-bit") return "";
  const auto share = [](const json& p) -> std::string {
    if (!p.contains("int8_ops_per_training_image")) return "no step taken";
    const double ops = p["int8_ops_per_training_image"], flops = p["flops_per_training_image"];
    return fmt::format("{:.0f} %", 100 * ops / (ops + flops));
  };
  const auto activations = [](const json& p) {
    return cell(p.value("bytes", json::object()), "activations", "{:.1f}", 0x1p-20);
  };
  return line("arithmetic", precision(search), precision(retrain)) +
         line("int8 share of operations", share(search), share(retrain)) +
         line("MiB of activations a step", activations(search), activations(retrain));
}

std::string summary_table(const json& s) {
  const json& d = s["dense"];
  std::string out = fmt::format("\n{}, seed {}\n", s.value("name", std::string("run")), s["seed"].dump());
  if (s.contains("eb")) out += "  Early-Bird tickets:" + emergence(s["eb"]) + "\n";
  if (!s.contains("ticket") || s["ticket"].is_null())
    return out + dense_only(d) + (s.contains("swa") ? averaged(s["swa"]) : "");
  const json& t = s["ticket"];
  out += line("", "dense", fmt::format("ticket p={}", t["ratio"].dump()));
  out += line("top-1", cell(d, "test_top1", "{:.2f} %", 100), cell(t, "test_top1", "{:.2f} %", 100),
              d.value("test_top1_note", std::string()));
  out += line("parameters", cell(d, "params", "{:.0f}"), cell(t, "params", "{:.0f}"), ratio(d, t, "params"));
  out += flops_line("{} per image", d, t, "flops_per_image", "{:.3g}");
  out += flops_line("training {}", d, t, "training_flops", "{:.4g}", ", search included");
  out += line("training seconds", seconds_cell(d, "seconds"), seconds_cell(t, "seconds"),
              d.value("seconds_note", std::string()));
  out += line("images/s in training", cell(d, "images_per_s", "{:.0f}"), cell(t, "images_per_s", "{:.0f}"));
  out += arithmetic_lines(s);
  out += line("energy, joules", cell(d, "joules", "{:.0f}"), cell(t, "joules", "{:.0f}"));
  out += fmt::format("  speed-up of a step: {} counted in FLOPs, {} measured\n",
                     cell(s["speedup"], "counted", "{:.2f}x"), cell(s["speedup"], "measured", "{:.2f}x"));
  if (s.contains("swa")) out += averaged(s["swa"]);
  return out;
}

}  // namespace eb::tools
