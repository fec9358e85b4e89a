// The keys of report.json, each once: writing, reading and the columns of the tables go over these lists.
#pragma once
#include <concepts>
#include <type_traits>

#include "tools/report/gather/report.h"

namespace eb::tools {

template <class T, class Of>
concept Like = std::same_as<std::remove_const_t<T>, Of>;

// visit(key, member) for each member, in the order of the columns.
template <class Visit>
void fields(Like<NetworkReport> auto& n, const Visit& visit) {
  visit("label", n.label);
  visit("ratio", n.ratio);
  visit("top1_last", n.top1_last);
  visit("top5_last", n.top5_last);
  visit("top1_best", n.top1_best);
  visit("best_epoch", n.best_epoch);
  visit("best_rule", n.best_rule);
  visit("top1_note", n.top1_note);
  visit("params", n.params);
  visit("macs_per_image", n.macs_per_image);
  visit("flops_per_image", n.flops_per_image);
  visit("weight_bytes", n.weight_bytes);
  visit("training_flops", n.training_flops);
  visit("seconds", n.seconds);
  visit("seconds_note", n.seconds_note);
  visit("images_per_s", n.images_per_s);
  visit("peak_memory_bytes", n.peak_memory_bytes);
  visit("joules", n.joules);
  visit("energy_method", n.energy_method);
}

template <class Visit>
void fields(Like<PhaseSeconds> auto& s, const Visit& visit) {
  visit("training", s.training);
  visit("data_wait", s.data_wait);
  visit("forward", s.forward);
  visit("backward", s.backward);
  visit("optimizer", s.optimizer);
  visit("early_bird", s.early_bird);
  visit("evaluation", s.evaluation);
  visit("checkpoint", s.checkpoint);
  visit("other", s.other);
}

template <class Visit>
void fields(Like<engine::PhaseFormat::Bytes> auto& b, const Visit& visit) {
  visit("weights", b.weights);
  visit("gradients", b.gradients);
  visit("momentum", b.momentum);
  visit("activations", b.activations);
}

template <class Visit>
void fields(Like<PhaseReport> auto& p, const Visit& visit) {
  visit("name", p.name);
  visit("start_epoch", p.start_epoch);
  visit("precision", p.precision);
  visit("images_per_s", p.images_per_s);
  visit("seconds", p.seconds);
  visit("energy_method", p.energy_method);
  visit("bytes", p.bytes);
  visit("start_step", p.start_step);
  visit("steps", p.steps);
  visit("samples", p.samples);
  visit("params", p.params);
  visit("flops_per_image", p.flops_per_image);
  visit("macs_per_image", p.macs_per_image);
  visit("peak_memory_bytes", p.peak_memory_bytes);
  visit("joules", p.joules);
}

template <class Visit>
void fields(Like<engine::EpochRecord> auto& e, const Visit& visit) {
  visit("epoch", e.epoch);
  visit("phase", e.phase);
  visit("train_loss", e.train_loss);
  visit("train_top1", e.train_top1);
  visit("test_loss", e.test_loss);
  visit("test_top1", e.test_top1);
  visit("test_top5", e.test_top5);
  visit("holdout_top1", e.holdout_top1);
  visit("lr", e.lr);
  visit("images_per_s", e.images_per_s);
  visit("seconds", e.seconds);
}

template <class Visit>
void fields(Like<WindowDistance> auto& w, const Visit& visit) {
  visit("epoch", w.epoch);
  visit("distance", w.distance);
}

template <class Visit>
void fields(Like<RatioReport> auto& r, const Visit& visit) {
  visit("ratio", r.ratio);
  visit("name", r.name);
  visit("bits", r.bits);
  visit("kept", r.kept);
  visit("emerged_epoch", r.emerged_epoch);
  visit("emerged_index", r.emerged_index);
  visit("ticket", r.ticket);
  visit("epochs", r.epochs);
  visit("differing", r.differing);
  visit("window_distance", r.window_distance);
}

template <class Visit>
void fields(Like<engine::DrawRecord> auto& d, const Visit& visit) {
  visit("ratio", d.ratio);
  visit("epoch", d.epoch);
  visit("step", d.step);
  visit("found_by", d.found_by);
  visit("file", d.file);
  visit("dense_checkpoint", d.dense);
}

template <class Visit>
void fields(Like<SearchReport> auto& s, const Visit& visit) {
  visit("threshold", s.threshold);
  visit("window", s.window);
  visit("compare", s.compare);
  visit("criterion", s.criterion);
  visit("rule", s.rule);
  visit("draw", s.draw);
  visit("draw_epoch", s.draw_epoch);
  visit("ratios", s.ratios);
}

template <class Visit>
void fields(Like<LayerReport> auto& l, const Visit& visit) {
  visit("id", l.id);
  visit("kept", l.kept);
  visit("total", l.total);
  visit("group", l.group);
  visit("held_up", l.held_up);
}

template <class Visit>
void fields(Like<ConfigChange> auto& c, const Visit& visit) {
  visit("key", c.key);
  visit("value", c.value);
  visit("default", c.default_value);
}

template <class Visit>
void fields(Like<EnvironmentEntry> auto& e, const Visit& visit) {
  visit("key", e.key);
  visit("value", e.value);
}

template <class Visit>
void fields(Like<engine::SpeedupRecord> auto& s, const Visit& visit) {
  visit("counted", s.counted);
  visit("measured", s.measured);
  visit("least", s.least);
  visit("most", s.most);
  visit("pairs", s.pairs);
}

template <class Visit>
void fields(Like<EquivalenceReport> auto& e, const Visit& visit) {
  visit("max_abs_difference", e.max_abs_difference);
}

template <class Visit>
void fields(Like<RunReport> auto& r, const Visit& visit) {
  visit("path", r.path);
  visit("name", r.name);
  visit("seed", r.seed);
  visit("eb_engine", r.eb_engine);
  visit("state", r.state);
  visit("exit_code", r.exit_code);
  visit("epochs_done", r.epochs_done);
  visit("epochs_planned", r.epochs_planned);
  visit("damaged_lines", r.damaged_lines);
  visit("bad_samples", r.bad_samples);
  visit("config_changes", r.config_changes);
  visit("environment", r.environment);
  visit("command_lines", r.command_lines);
  visit("networks", r.networks);
  visit("speedup", r.speedup);
  visit("phases", r.phases);
  visit("epochs", r.epochs);
  visit("early_bird", r.early_bird);
  visit("layers", r.layers);
  visit("equivalence", r.equivalence);
  visit("warnings", r.warnings);
}

template <class Visit>
void fields(Like<Statistic> auto& s, const Visit& visit) {
  visit("mean", s.mean);
  visit("std", s.std);
  visit("n", s.n);
}

// Those of a comparison's row that are statistics.
template <class Visit>
void statistics(Like<ComparisonRow> auto& r, const Visit& visit) {
  visit("top1", r.top1);
  visit("top5", r.top5);
  visit("params", r.params);
  visit("flops_per_image", r.flops_per_image);
  visit("training_flops", r.training_flops);
  visit("seconds", r.seconds);
  visit("joules", r.joules);
  visit("draw_epoch", r.draw_epoch);
  visit("step_speedup", r.step_speedup);
}

template <class Visit>
void fields(Like<ComparisonRow> auto& r, const Visit& visit) {
  visit("label", r.label);
  visit("runs", r.runs);
  visit("seeds", r.seeds);
  visit("ratio", r.ratio);
  statistics(r, visit);
  visit("seconds_note", r.seconds_note);
}

template <class Visit>
void fields(Like<DrawPoint> auto& p, const Visit& visit) {
  visit("row", p.row);
  visit("epoch", p.epoch);
  visit("top1", p.top1);
}

template <class Visit>
void fields(Like<DrawCurve> auto& c, const Visit& visit) {
  visit("label", c.label);
  visit("ratio", c.ratio);
  visit("points", c.points);
}

template <class Visit>
void fields(Like<DrawEpochs> auto& d, const Visit& visit) {
  visit("curves", d.curves);
  visit("dense", d.dense);
}

template <class Visit>
void fields(Like<ComparisonReport> auto& c, const Visit& visit) {
  visit("rows", c.rows);
  visit("cost", c.cost);
  visit("draw_epochs", c.draw_epochs);
}

template <class Visit>
void fields(Like<Report> auto& r, const Visit& visit) {
  visit("eb_report", r.eb_report);
  visit("generated", r.generated);
  visit("eb_engine", r.eb_engine);
  visit("runs", r.runs);
  visit("comparison", r.comparison);
}

}  // namespace eb::tools
