#include "engine/run/record.h"

#include <algorithm>
#include <string_view>

#include "engine/run/names.h"
#include "engine/run/record_keys.h"

namespace eb::engine {

using nlohmann::json;
using namespace lenient;

// --- a phase ---

Number misfit(Number train_seconds, Count steps, double step_seconds) {
  constexpr double tolerance = 1.25;
  if (!train_seconds || steps.value_or(0) == 0 || step_seconds <= 0) return std::nullopt;
  const double factor = *train_seconds / static_cast<double>(*steps) / step_seconds;
  return factor < tolerance && factor > 1 / tolerance ? std::nullopt : Number(factor);
}

Number PhaseRecord::images_per_s() const {
  if (!samples || !train_seconds || *samples <= 0 || *train_seconds <= 0) return std::nullopt;
  return static_cast<double>(*samples) / *train_seconds;
}

static json to_json(const PhaseFormat::Bytes& b) {
  json j = json::object();
  put_if(j, "weights", b.weights);
  put_if(j, "gradients", b.gradients);
  put_if(j, "momentum", b.momentum);
  put_if(j, "activations", b.activations);
  return j;
}

json to_json(const PhaseFormat& f) {
  json j = json::object();
  put_if(j, "precision", f.precision);
  put_if(j, "int8_ops_per_training_image", f.int8_ops_per_training_image);
  put_if(j, "flops_per_training_image", f.flops_per_training_image);
  if (json bytes = to_json(f.bytes); !bytes.empty()) j["bytes"] = std::move(bytes);
  return j;
}

PhaseFormat format_from_json(const json& j) {
  const json& b = value(j, "bytes");
  return {
      words(j, "precision"),
      integer(j, "int8_ops_per_training_image"),
      integer(j, "flops_per_training_image"),
      {integer(b, "weights"), integer(b, "gradients"), integer(b, "momentum"), integer(b, "activations")}};
}

json to_json(const PhaseRecord& p) {
  json j = to_json(p.format);
  put(j, "name", p.name);
  put(j, "params", p.params);
  put(j, "flops_per_image", p.flops_per_image);
  put(j, "macs_per_image", p.macs_per_image);
  put(j, "start_step", p.start_step);
  put(j, "steps", p.steps);
  put(j, "samples", p.samples);
  put(j, "train_seconds", p.train_seconds);
  put(j, "eval_seconds", p.eval_seconds);
  put(j, "data_wait_seconds", p.data_wait_seconds);
  put(j, "seconds", p.seconds);
  put(j, "peak_memory_bytes", p.peak_memory_bytes);
  put(j, "joules", p.joules);
  put(j, "energy_method", p.energy_method);
  return j;
}

static std::optional<std::map<std::string, double>> numbers_in(const json& j, const char* key) {
  const json& object = value(j, key);
  if (!object.is_object()) return std::nullopt;
  std::map<std::string, double> numbers;
  for (const auto& [name, v] : object.items())
    if (const Number n = number(v)) numbers[name] = *n;
  return numbers;
}

PhaseRecord phase_from_json(const json& j) {
  PhaseRecord p;
  p.name = phase_in(j, "name");
  p.params = integer(j, "params");
  p.flops_per_image = integer(j, "flops_per_image");
  p.macs_per_image = integer(j, "macs_per_image");
  p.start_step = integer(j, "start_step");
  p.steps = integer(j, "steps");
  p.samples = integer(j, "samples");
  p.train_seconds = number(j, "train_seconds");
  p.eval_seconds = number(j, "eval_seconds");
  p.data_wait_seconds = number(j, "data_wait_seconds");
  p.seconds = numbers_in(j, "seconds");
  p.peak_memory_bytes = integer(j, "peak_memory_bytes");
  p.joules = number(j, "joules");
  p.energy_method = words(j, "energy_method");
  if (p.joules && !p.energy_method) p.energy_method = "rapl";  // of a version that knew no other
  p.format = format_from_json(j);
  return p;
}

std::vector<PhaseRecord> phases_in(const json& j) {
  std::vector<PhaseRecord> phases;
  for (const json& phase : list(j, "phases"))
    if (phase.is_object()) phases.push_back(phase_from_json(phase));
  return phases;
}

// --- metrics.jsonl ---

namespace {

struct EpochNumber {
  const char* key;
  Number EpochRecord::*value;
  bool drawn;  // as a curve
};
constexpr EpochNumber epoch_numbers[] = {{"train/loss", &EpochRecord::train_loss, true},
                                         {"train/top1", &EpochRecord::train_top1, true},
                                         {"train/lr", &EpochRecord::lr, true},
                                         {"test/loss", &EpochRecord::test_loss, true},
                                         {"test/top1", &EpochRecord::test_top1, true},
                                         {"test/top5", &EpochRecord::test_top5, true},
                                         {"holdout/top1", &EpochRecord::holdout_top1, true},
                                         {"perf/images_per_s", &EpochRecord::images_per_s, true},
                                         {"perf/seconds", &EpochRecord::seconds, true},
                                         {"perf/data_wait_seconds", &EpochRecord::data_wait_seconds, false},
                                         {"mem/peak_gib", &EpochRecord::peak_gib, false},
                                         {"energy/joules", &EpochRecord::joules, false}};
constexpr const char* batch_loss = "train/batch_loss";

struct AveragedNumber {
  const char* key;
  Number AveragedRecord::*value;
};
constexpr AveragedNumber averaged_numbers[] = {{"swa/test_loss", &AveragedRecord::loss},
                                               {"swa/test_top1", &AveragedRecord::top1},
                                               {"swa/test_top5", &AveragedRecord::top5},
                                               {"swa/holdout_top1", &AveragedRecord::holdout_top1}};

// Far beyond what train.duration allows in any time, far below where a double leaves integers out.
constexpr int64_t most = 1'000'000'000'000'000;

bool is_count(const json& line, const char* key, int64_t least) {
  const json& v = value(line, key);
  return v.is_number_integer() && v >= least && v <= most;
}

bool is_drawn(std::string_view key) {
  return key.starts_with(file_names::distance_key) || key == batch_loss ||
         std::any_of(std::begin(epoch_numbers), std::end(epoch_numbers),
                     [&](const EpochNumber& n) { return n.drawn && key == n.key; });
}

// An epoch that ends is counted from 1; within the first the count is still 0.
bool is_sound(const json& line, const char* split, int64_t first_epoch) {
  if (value(line, "split") != split || !is_count(line, "epoch", first_epoch) || !is_count(line, "step", 0) ||
      !phase_in(line, "phase"))
    return false;
  const auto& members = line.get_ref<const json::object_t&>();
  return std::all_of(members.begin(), members.end(), [](const auto& member) {
    return !is_drawn(member.first) || member.second.is_number() || member.second.is_null();
  });
}

template <class Record>
Record line_from_json(const json& line) {
  Record r;
  r.epoch = line["epoch"];
  r.step = line["step"];
  r.phase = *phase_in(line, "phase");
  return r;
}

}  // namespace

json to_json(const MaskChecks& masks) {
  json j = json::object();
  for (const auto& [ratio, check] : masks) {
    put(j, (file_names::distance_key + ratio).c_str(), check.distance);
    put_if(j, (file_names::kept_key + ratio).c_str(), check.kept);
    put_if(j, (file_names::threshold_key + ratio).c_str(), check.threshold);
  }
  return j;
}

MaskChecks masks_from_json(const json& j) {
  MaskChecks masks;
  if (!j.is_object()) return masks;
  const auto ratio_after = [](const std::string& key, std::string_view prefix) {
    return key.starts_with(prefix) ? Words(key.substr(prefix.size())) : std::nullopt;
  };
  for (const auto& [key, v] : j.items()) {
    if (const auto ratio = ratio_after(key, file_names::distance_key)) masks[*ratio].distance = number(v);
    if (const auto ratio = ratio_after(key, file_names::kept_key)) masks[*ratio].kept = integer(v);
    if (const auto ratio = ratio_after(key, file_names::threshold_key)) masks[*ratio].threshold = number(v);
  }
  return masks;
}

json to_json(const EpochRecord& e) {
  json j = to_json(e.masks);
  j["epoch"] = e.epoch;
  j["step"] = e.step;
  j["phase"] = e.phase;
  j["split"] = "epoch";
  for (const EpochNumber& n : epoch_numbers) put_if(j, n.key, e.*n.value);
  put_if(j, "swa/models", e.averaged.models);
  for (const AveragedNumber& n : averaged_numbers) put_if(j, n.key, e.averaged.*n.value);
  if (!e.rounding) return j;
  j["q8/saturated"] = e.rounding->saturated;
  j["q8/flushed"] = e.rounding->flushed;
  put_if(j, "q8/saturated_rate", e.rounding->saturated_rate);
  put_if(j, "q8/flushed_rate", e.rounding->flushed_rate);
  return j;
}

json to_json(const BatchRecord& b) {
  json j = {{"epoch", b.epoch}, {"step", b.step}, {"phase", b.phase}, {"split", "train"}};
  put(j, batch_loss, b.loss);
  put(j, "train/lr", b.lr);
  return j;
}

std::optional<EpochRecord> epoch_from_json(const json& line) {
  if (!is_sound(line, "epoch", 1)) return std::nullopt;
  auto e = line_from_json<EpochRecord>(line);
  for (const EpochNumber& n : epoch_numbers) e.*n.value = number(line, n.key);
  e.masks = masks_from_json(line);
  e.averaged.models = integer(line, "swa/models");
  for (const AveragedNumber& n : averaged_numbers) e.averaged.*n.value = number(line, n.key);
  const auto saturated = numbers_in(line, "q8/saturated"), flushed = numbers_in(line, "q8/flushed");
  if (saturated && flushed)
    e.rounding = {*saturated, *flushed, number(line, "q8/saturated_rate"), number(line, "q8/flushed_rate")};
  return e;
}

std::optional<BatchRecord> batch_from_json(const json& line) {
  if (!is_sound(line, "train", 0)) return std::nullopt;
  auto b = line_from_json<BatchRecord>(line);
  b.loss = number(line, batch_loss);
  b.lr = number(line, "train/lr");
  return b;
}

// "epoch" and "step" say where; what is measured has a group before its name.
template <class Record>
static NamedNumbers measured(const Record& record) {
  NamedNumbers numbers;
  const json line = to_json(record);
  for (const auto& [key, v] : line.items())
    if (v.is_number() && key.find('/') != key.npos) numbers.emplace_back(key, v.template get<double>());
  return numbers;
}
NamedNumbers numbers_of(const EpochRecord& epoch) {
  return measured(epoch);
}
NamedNumbers numbers_of(const BatchRecord& batch) {
  return measured(batch);
}

}  // namespace eb::engine
