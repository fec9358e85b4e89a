#include "quant/block_metrics.h"

#include <algorithm>
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

size_t activations_of(const Session& session) {
  return 3 * session.trainer().model().graph().nodes.size();
}

// Activations were rounded where they were computed, parameters on every rank alike.
std::vector<Counts> read_all(const Session& session, const BlockModel& blocks) {
  std::vector<Counts> counts = read(blocks);
  if (session.parallel().ranks() == 1) return counts;
  const size_t activations = activations_of(session);
  const std::string mine(reinterpret_cast<const char*>(counts.data()), activations * sizeof(Counts));
  std::fill_n(counts.begin(), activations, Counts{});
  for (const std::string& of_rank : session.parallel().world->all_gather(mine)) {
    const auto* more = reinterpret_cast<const Counts*>(of_rank.data());
    for (size_t i = 0; i < activations; ++i) {
      counts[i].saturated += more[i].saturated;
      counts[i].flushed += more[i].flushed;
    }
  }
  return counts;
}

// Shares of what was rounded, by the name of the tensor.
struct Rates {
  RoundingRecord rounding;
  Counts all;
  double numbers = 0;

  void add(const std::string& name, const Counts& c, double of) {
    if (of == 0) return;
    rounding.saturated[name] = static_cast<double>(c.saturated) / of;
    rounding.flushed[name] = static_cast<double>(c.flushed) / of;
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

void BlockMetrics::after_epoch(Session& session, EpochRecord& epoch) {
  const Model& m = session.trainer().model();
  if (!m.blocks()) return;
  const std::vector<Counts> counts = read_all(session, *m.blocks());
  const PhaseRecord& phase = session.phases().back();
  if (counted_phases_ != static_cast<int64_t>(session.phases().size())) counted_samples_ = counted_steps_ = 0;
  Rates rates;
  add_activations(m, counts, static_cast<double>(*phase.samples - counted_samples_), rates);
  add_parameters(m, counts, static_cast<double>(*phase.steps - counted_steps_), rates);
  counted_phases_ = static_cast<int64_t>(session.phases().size());
  counted_samples_ = *phase.samples, counted_steps_ = *phase.steps;
  if (rates.numbers > 0) {
    rates.rounding.saturated_rate = static_cast<double>(rates.all.saturated) / rates.numbers;
    rates.rounding.flushed_rate = static_cast<double>(rates.all.flushed) / rates.numbers;
  }
  epoch.rounding = std::move(rates.rounding);
  write(*m.blocks(), std::vector<Counts>(counts.size()));
}

// Bytes as they lie in memory: the arenas are f32 also where their numbers fit into 8 bits.
static PhaseFormat::Bytes bytes_of(const Trainer& t) {
  const Model& m = t.model();
  const BlockModel* b = m.blocks();
  const size_t copies = (m.working().defined() ? m.working().bytes() : 0) +
                        (b ? b->codes.bytes() + b->values.exponents().bytes() : 0);
  return {m.values().bytes() + copies, m.gradients().bytes() + (b ? b->gradients.exponents().bytes() : 0),
          m.momentum().bytes() + (b ? b->momentum.exponents().bytes() : 0), t.activation_bytes()};
}

static std::string precision_name(const Session& session) {
  const Model& m = session.trainer().model();
  return m.blocks() ? "8-bit" : kernels::name_of(m.compute());
}

void BlockMetrics::after_step(Session& session) {
  if (phases_.size() == session.phases().size()) return;
  while (phases_.size() + 1 < session.phases().size()) phases_.emplace_back();  // not seen
  const Model& m = session.trainer().model();
  const Precision precision = m.blocks() ? m.blocks()->precision : Precision{};
  const TrainingOps ops = training_ops(m.graph(), precision, m.device());
  phases_.push_back({precision_name(session), ops.int8, ops.fp, bytes_of(session.trainer())});
}

void BlockMetrics::summarize(const Session&, RunSummary& summary) const {
  for (size_t i = 0; i < phases_.size(); ++i) summary.phases.at(i).format = phases_[i];
}

void BlockMetrics::before_checkpoint(const Session& session) {
  const BlockModel* blocks = session.trainer().model().blocks();
  counts_ = blocks ? read_all(session, *blocks) : std::vector<Counts>();
}

json BlockMetrics::save() const {
  const BlockModel* blocks = session_ ? session_->trainer().model().blocks() : nullptr;
  json phases = json::array();
  for (const PhaseFormat& format : phases_) phases.push_back(to_json(format));
  json state = {{"phases", phases}, {"counted", {counted_phases_, counted_samples_, counted_steps_}}};
  if (!blocks) return state;
  json saturated = json::array(), flushed = json::array();
  for (const Counts& c : counts_) {
    saturated.push_back(c.saturated);
    flushed.push_back(c.flushed);
  }
  state["saturated"] = saturated;
  state["flushed"] = flushed;
  return state;
}

void BlockMetrics::load(Session& session, const json& state) {
  session_ = &session;
  phases_.clear();
  for (const json& format : state.at("phases")) phases_.push_back(format_from_json(format));
  const json& counted = state.at("counted");
  counted_phases_ = counted.at(0), counted_samples_ = counted.at(1), counted_steps_ = counted.at(2);
  const bool same = phases_.size() != session.phases().size() || phases_.empty() ||
                    phases_.back().precision == precision_name(session);
  if (!same) phases_.pop_back();  // resumed in another one: measured anew
  const BlockModel* blocks = session.trainer().model().blocks();
  if (!blocks || !same || !state.contains("saturated")) return;
  std::vector<Counts> counts(blocks->counts.bytes() / sizeof(Counts));
  for (size_t i = 0; i < counts.size(); ++i)
    counts[i] = {state.at("saturated").at(i), state.at("flushed").at(i)};
  if (!session.parallel().leads()) std::fill_n(counts.begin(), activations_of(session), Counts{});
  write(*blocks, counts);
}

}  // namespace eb::quant
