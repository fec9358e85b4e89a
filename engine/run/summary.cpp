// summary.json, status.json, and what a checkpoint says of how far its run had come.
#include "engine/run/record_keys.h"

namespace eb::engine {

using nlohmann::json;
using namespace lenient;

json to_json(const BestRecord& b) {
  json j = json::object();
  put_if(j, "top1", b.top1);
  put_if(j, "top5", b.top5);
  put_if(j, "epoch", b.epoch);
  put_if(j, "phase", b.phase);
  put_if(j, "split", b.split);
  put_if(j, "test_top1", b.test_top1);
  return j;
}

BestRecord best_from_json(const json& j) {
  return {number(j, "top1"),   number(j, "top5"),    number(j, "test_top1"),
          integer(j, "epoch"), phase_in(j, "phase"), words(j, "split")};
}

static json to_json(const NetworkRecord& n) {
  json j = json::object();
  put_if(j, "ratio", n.ratio);
  put(j, "test_top1", n.test_top1);
  put(j, "test_top5", n.test_top5);
  put_if(j, "test_loss", n.test_loss);
  put_if(j, "test_top1_note", n.test_top1_note);
  put(j, "params", n.params);
  put(j, "flops_per_image", n.flops_per_image);
  put(j, "training_flops", n.training_flops);
  put(j, "seconds", n.seconds);
  put_if(j, "seconds_note", n.seconds_note);
  put(j, "images_per_s", n.images_per_s);
  put(j, "joules", n.joules);
  return j;
}

static NetworkRecord network_from_json(const json& j) {
  NetworkRecord n;
  n.ratio = number(j, "ratio");
  n.test_top1 = number(j, "test_top1");
  n.test_top5 = number(j, "test_top5");
  n.test_loss = number(j, "test_loss");
  n.test_top1_note = words(j, "test_top1_note");
  n.params = integer(j, "params");
  n.flops_per_image = integer(j, "flops_per_image");
  n.training_flops = number(j, "training_flops");
  n.seconds = number(j, "seconds");
  n.seconds_note = words(j, "seconds_note");
  n.images_per_s = number(j, "images_per_s");
  n.joules = number(j, "joules");
  return n;
}

json to_json(const DrawRecord& d) {
  json j = json::object();
  put_if(j, "ratio", d.ratio);
  put_if(j, "epoch", d.epoch);
  put_if(j, "step", d.step);
  put_if(j, "found_by", d.found_by);
  put_if(j, "file", d.file);
  put_if(j, "dense_checkpoint", d.dense);
  put_if(j, "dense_test_top1", d.dense_test_top1);
  put_if(j, "dense_test_top5", d.dense_test_top5);
  put_if(j, "compaction_ms", d.compaction_ms);
  put_if(j, "max_abs_difference", d.max_abs_difference);
  if (d.steps)
    j["steps"] = {{"pairs", d.steps->pairs},
                  {"ratio", d.steps->ratio},
                  {"least", d.steps->least},
                  {"most", d.steps->most},
                  {"dense_seconds", d.steps->dense_seconds},
                  {"ticket_seconds", d.steps->ticket_seconds}};
  put_if(j, "asked_channels", d.asked);
  put_if(j, "pruned_channels", d.pruned);
  if (!d.returned.empty()) j["returned_channels"] = d.returned;
  return j;
}

static PairedSteps steps_from_json(const json& j) {
  const auto of = [&](const char* key) { return number(j, key).value_or(0); };
  return {integer(j, "pairs").value_or(0),
          of("ratio"),
          of("least"),
          of("most"),
          of("dense_seconds"),
          of("ticket_seconds")};
}

static std::map<std::string, int64_t> returned_in(const json& j) {
  std::map<std::string, int64_t> returned;
  if (const json& object = value(j, "returned_channels"); object.is_object())
    for (const auto& [why, channels] : object.items())
      if (channels.is_number_integer()) returned[why] = channels;
  return returned;
}

DrawRecord draw_from_json(const json& j) {
  return {number(j, "ratio"),
          integer(j, "epoch"),
          integer(j, "step"),
          words(j, "found_by"),
          words(j, "file"),
          words(j, "dense_checkpoint"),
          number(j, "dense_test_top1"),
          number(j, "dense_test_top5"),
          number(j, "compaction_ms"),
          number(j, "max_abs_difference"),
          object_in(j, "steps", steps_from_json),
          integer(j, "asked_channels"),
          integer(j, "pruned_channels"),
          returned_in(j)};
}

static json to_json(const std::map<std::string, Count>& counts) {
  json j = json::object();
  for (const auto& [name, count] : counts) put(j, name.c_str(), count);
  return j;
}

static std::map<std::string, Count> counts_in(const json& j, const char* key) {
  std::map<std::string, Count> counts;
  if (const json& object = value(j, key); object.is_object())
    for (const auto& [name, v] : object.items()) counts[name] = integer(v);
  return counts;
}

static json to_json(const SearchRecord& s) {
  json j = {{"epochs", to_json(s.epochs)}, {"steps", to_json(s.steps)}};
  put(j, "window", s.window);
  put(j, "threshold", s.threshold);
  put(j, "compare", s.compare);
  put(j, "rule", s.rule);
  put(j, "ms_per_check", s.ms_per_check);
  if (s.draw) j["draw"] = to_json(*s.draw);
  if (!s.tickets.empty()) j["tickets"] = s.tickets;
  return j;
}

static std::map<std::string, std::string> names_in(const json& j, const char* key) {
  std::map<std::string, std::string> names;
  if (const json& object = value(j, key); object.is_object())
    for (const auto& [name, v] : object.items())
      if (v.is_string()) names[name] = v.get<std::string>();
  return names;
}

static SearchRecord search_from_json(const json& j) {
  return {counts_in(j, "epochs"),    counts_in(j, "steps"),
          integer(j, "window"),      number(j, "threshold"),
          words(j, "compare"),       words(j, "rule"),
          number(j, "ms_per_check"), object_in(j, "draw", draw_from_json),
          names_in(j, "tickets")};
}

static json to_json(const AveragedRecord& a) {
  json j = json::object();
  put(j, "models", a.models);
  put(j, "start_epoch", a.start_epoch);
  put(j, "top1", a.top1);
  put(j, "top5", a.top5);
  put(j, "loss", a.loss);
  put_if(j, "holdout_top1", a.holdout_top1);
  return j;
}

AveragedRecord averaged_from_json(const json& j) {
  return {integer(j, "models"), integer(j, "start_epoch"), number(j, "top1"),
          number(j, "top5"),    number(j, "loss"),         number(j, "holdout_top1")};
}

static SpeedupRecord speedup_from_json(const json& j) {
  return {number(j, "counted"), number(j, "measured"), number(j, "least"), number(j, "most"),
          integer(j, "pairs")};
}

json to_json(const RunSummary& s) {
  json phases = json::array();
  for (const PhaseRecord& p : s.phases) phases.push_back(to_json(p));
  json j = {{"phases", std::move(phases)}, {"best", s.best ? to_json(*s.best) : json()}};
  put(j, "seed", s.seed);
  put(j, "name", s.name);
  put(j, "steps", s.steps);
  put(j, "epochs", s.epochs);
  put(j, "samples_per_epoch", s.samples_per_epoch);
  put_if(j, "steps_per_epoch", s.steps_per_epoch);
  put(j, "bad_samples", s.bad_samples);
  put(j, "total_training_flops", s.total_training_flops);
  put(j, "train_seconds", s.train_seconds);
  if (s.dense) j["dense"] = to_json(*s.dense);
  if (s.search) j["eb"] = to_json(*s.search);
  if (s.ticket || s.search) j["ticket"] = s.ticket ? to_json(*s.ticket) : json();
  if (s.max_abs_difference) j["equivalence"] = {{"max_abs_difference", *s.max_abs_difference}};
  if (s.speedup) {
    json& speedup = j["speedup"];
    put(speedup, "counted", s.speedup->counted);
    put(speedup, "measured", s.speedup->measured);
    put_if(speedup, "least", s.speedup->least);
    put_if(speedup, "most", s.speedup->most);
    put_if(speedup, "pairs", s.speedup->pairs);
  }
  if (s.averaged) j["swa"] = to_json(*s.averaged);
  return j;
}

static std::optional<std::set<std::string>> texts_in(const json& j, const char* key) {
  const json& all = value(j, key);
  if (!all.is_array()) return std::nullopt;
  std::set<std::string> texts;
  for (const json& v : all)
    if (v.is_string()) texts.insert(v.get<std::string>());
  return texts;
}

RunSummary summary_from_json(const json& j) {
  RunSummary s;
  if (const json& seed = value(j, "seed"); seed.is_number_integer()) s.seed = seed.get<uint64_t>();
  s.name = words(j, "name");
  s.steps = integer(j, "steps");
  s.epochs = integer(j, "epochs");
  s.samples_per_epoch = integer(j, "samples_per_epoch");
  s.steps_per_epoch = integer(j, "steps_per_epoch");
  s.phases = phases_in(j);
  s.best = object_in(j, "best", best_from_json);
  s.bad_samples = texts_in(j, "bad_samples");
  s.total_training_flops = number(j, "total_training_flops");
  s.train_seconds = number(j, "train_seconds");
  s.dense = object_in(j, "dense", network_from_json);
  s.ticket = object_in(j, "ticket", network_from_json);
  s.search = object_in(j, "eb", search_from_json);
  s.max_abs_difference = number(value(j, "equivalence"), "max_abs_difference");
  s.speedup = object_in(j, "speedup", speedup_from_json);
  s.averaged = object_in(j, "swa", averaged_from_json);
  return s;
}

json to_json(const RunStatus& s) {
  json j = {{"summary", s.summary ? to_json(*s.summary) : json()}};
  put(j, "phase", s.phase);
  put(j, "step", s.step);
  put(j, "heartbeat", s.heartbeat);
  put(j, "pid", s.pid);
  put(j, "host", s.host);
  put(j, "exit_code", s.exit_code);
  if (s.error) put(j, "error", s.error);
  return j;
}

RunStatus status_from_json(const json& j) {
  return {words(j, "phase"),       integer(j, "step"), words(j, "heartbeat"),
          integer(j, "pid"),       words(j, "host"),   object_in(j, "summary", summary_from_json),
          integer(j, "exit_code"), words(j, "error")};
}

ProgressRecord progress_from_json(const json& state) {
  return {integer(state, "step"),  integer(state, "epoch"),
          integer(state, "batch"), integer(state, "steps_per_epoch"),
          phases_in(state),        object_in(state, "best", best_from_json)};
}

}  // namespace eb::engine
