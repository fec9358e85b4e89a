#include "quant/block_metrics.h"

#include <cmath>

#include "engine/bfp/block_arena.h"
#include "quant/training_ops.h"

namespace eb::quant {

using namespace engine;
using nlohmann::json;
using Counts = Quantize::Counts;

namespace {

std::vector<Counts> read(const BlockModel& blocks) {
  std::vector<Counts> counts(blocks.counts.bytes() / sizeof(Counts));
  kernels::memory(blocks.counts.device()).to_host(counts.data(), blocks.counts.raw(), blocks.counts.bytes());
  return counts;
}

void write(const BlockModel& blocks, const std::vector<Counts>& counts) {
  kernels::memory(blocks.counts.device())
      .to_device(blocks.counts.raw(), counts.data(), blocks.counts.bytes());
}

// Shares of what was rounded, by the name of the tensor.
struct Rates {
  json saturated = json::object(), flushed = json::object();
  Counts all;
  double numbers = 0;

  void add(const std::string& name, const Counts& c, double of) {
    if (of == 0) return;
    saturated[name] = static_cast<double>(c.saturated) / of;
    flushed[name] = static_cast<double>(c.flushed) / of;
    all.saturated += c.saturated;
    all.flushed += c.flushed;
    numbers += of;
  }
};

void add_activations(const Model& m, const std::vector<Counts>& counts, double samples, Rates& rates) {
  const auto& nodes = m.graph().nodes;
  const auto add = [&](size_t node, RoundedTensor what, const char* name) {
    const Node& n = nodes[node];
    const double numbers = samples * static_cast<double>(n.h * n.w * n.c);
    rates.add(n.id + name, counts[3 * node + static_cast<size_t>(what)], numbers);
  };
  std::vector<bool> read(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].op != Op::conv) continue;
    const auto in = static_cast<size_t>(nodes[i].in[0]);
    if (m.blocks()->precision.conv_inputs && !read[in]) add(in, RoundedTensor::input, ".value");
    read[in] = true;
    add(i, RoundedTensor::output, ".output");
    add(i, RoundedTensor::error, ".error");
  }
}

void add_parameters(const Model& m, const std::vector<Counts>& counts, double steps, Rates& rates) {
  const auto& parameters = m.parameters();
  const Counts* at = counts.data() + 3 * m.graph().nodes.size();
  for (const char* arena : {"", ".gradient", ".momentum"})
    for (const Parameter& p : parameters)
      rates.add(p.name + arena, *at++, steps * static_cast<double>(p.count));
}

}  // namespace

void BlockMetrics::after_epoch(Session& session, json& metrics) {
  const Model& m = session.trainer().model();
  if (!m.blocks()) return;
  const std::vector<Counts> counts = read(*m.blocks());
  const PhaseRecord& phase = session.phases().back();
  if (counted_phases_ != static_cast<int64_t>(session.phases().size())) counted_samples_ = counted_steps_ = 0;
  Rates rates;
  add_activations(m, counts, static_cast<double>(phase.samples - counted_samples_), rates);
  add_parameters(m, counts, static_cast<double>(phase.steps - counted_steps_), rates);
  counted_phases_ = static_cast<int64_t>(session.phases().size());
  counted_samples_ = phase.samples, counted_steps_ = phase.steps;
  metrics["q8/saturated"] = rates.saturated;
  metrics["q8/flushed"] = rates.flushed;
  if (rates.numbers > 0) {
    metrics["q8/saturated_rate"] = static_cast<double>(rates.all.saturated) / rates.numbers;
    metrics["q8/flushed_rate"] = static_cast<double>(rates.all.flushed) / rates.numbers;
  }
  write(*m.blocks(), std::vector<Counts>(counts.size()));
}

// Bytes as they lie in memory: the arenas are f32 also where their numbers fit into 8 bits.
static json bytes_of(const Trainer& t) {
  const Model& m = t.model();
  const BlockModel* b = m.blocks();
  const size_t copies = (m.working().defined() ? m.working().bytes() : 0) +
                        (b ? b->codes.bytes() + b->values.exponents().bytes() : 0);
  return {{"weights", m.values().bytes() + copies},
          {"gradients", m.gradients().bytes() + (b ? b->gradients.exponents().bytes() : 0)},
          {"momentum", m.momentum().bytes() + (b ? b->momentum.exponents().bytes() : 0)},
          {"activations", t.activation_bytes()}};
}

static std::string precision_name(const Session& session) {
  const Model& m = session.trainer().model();
  return m.blocks() ? "8-bit" : kernels::name_of(m.compute());
}

void BlockMetrics::after_step(Session& session) {
  if (phases_.size() == session.phases().size()) return;
  while (phases_.size() + 1 < session.phases().size()) phases_.push_back(json::object());  // not seen
  const Model& m = session.trainer().model();
  const Precision precision = m.blocks() ? m.blocks()->precision : Precision{};
  const TrainingOps ops = training_ops(m.graph(), precision, m.device());
  phases_.push_back({{"precision", precision_name(session)},
                     {"int8_ops_per_training_image", ops.int8},
                     {"flops_per_training_image", ops.fp},
                     {"bytes", bytes_of(session.trainer())}});
}

void BlockMetrics::summarize(const Session&, json& summary) const {
  for (size_t i = 0; i < phases_.size(); ++i) summary["phases"][i].update(phases_[i]);
}

json BlockMetrics::save() const {
  const BlockModel* blocks = session_ ? session_->trainer().model().blocks() : nullptr;
  json state = {{"phases", phases_}, {"counted", {counted_phases_, counted_samples_, counted_steps_}}};
  if (!blocks) return state;
  json saturated = json::array(), flushed = json::array();
  for (const Counts& c : read(*blocks)) {
    saturated.push_back(c.saturated);
    flushed.push_back(c.flushed);
  }
  state["saturated"] = saturated;
  state["flushed"] = flushed;
  return state;
}

void BlockMetrics::load(Session& session, const json& state) {
  session_ = &session;
  phases_ = state.at("phases");
  const json& counted = state.at("counted");
  counted_phases_ = counted.at(0), counted_samples_ = counted.at(1), counted_steps_ = counted.at(2);
  const bool same = phases_.size() != session.phases().size() || phases_.empty() ||
                    phases_.back().value("precision", "") == precision_name(session);
  if (!same) phases_.erase(phases_.size() - 1);  // resumed in another one: measured anew
  const BlockModel* blocks = session.trainer().model().blocks();
  if (!blocks || !same || !state.contains("saturated")) return;
  std::vector<Counts> counts(blocks->counts.bytes() / sizeof(Counts));
  for (size_t i = 0; i < counts.size(); ++i)
    counts[i] = {state.at("saturated").at(i), state.at("flushed").at(i)};
  write(*blocks, counts);
}

}  // namespace eb::quant
