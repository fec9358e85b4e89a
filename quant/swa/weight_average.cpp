#include "quant/swa/weight_average.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/config/config.h"
#include "engine/run/conv_choices.h"
#include "engine/run/names.h"
#include "engine/train/sharded_statistics.h"

namespace eb::quant {

using namespace engine;
using nlohmann::json;

// --- the mean ---

void WeightMean::add(const Model& model) {
  const Tensor weights = model.values().to(Device::cpu);
  if (models_ == 0) {
    parameters_ = model.parameters();
    values_.assign(static_cast<size_t>(weights.size()), 0.f);
  }
  ++models_;
  const float* w = weights.data<float>();
  for (size_t i = 0; i < values_.size(); ++i)
    values_[i] = static_cast<float>(values_[i] + (double{w[i]} - values_[i]) / static_cast<double>(models_));
}

void WeightMean::write_to(Model& model) const {
  kernels::memory(model.device())
      .to_device(model.values().raw(), values_.data(), values_.size() * sizeof(float));
  model.values_changed();
}

static std::string name_of(const Parameter& p) {
  return "swa/" + p.name;
}

void WeightMean::save(std::map<std::string, Tensor>& all) const {
  if (models_ == 0) return;
  for (const Parameter& p : parameters_) {
    const Tensor t = Tensor::empty(p.shape);
    std::memcpy(t.raw(), &values_[static_cast<size_t>(p.offset)], t.bytes());
    all[name_of(p)] = t;
  }
}

void WeightMean::load(const Model& model, const std::map<std::string, Tensor>& all, int64_t models) {
  models_ = models;
  if (models_ == 0) return;
  parameters_ = model.parameters();
  values_.assign(static_cast<size_t>(model.values().size()), 0.f);
  for (const Parameter& p : parameters_) {
    const auto found = all.find(name_of(p));
    if (found == all.end())
      throw Error(errors::tensor_missing, "missing tensor \"" + name_of(p) + "\" of the weight average");
    const Tensor& t = found->second;
    if (t.shape() != p.shape || t.dtype() != DType::f32)
      throw Error(errors::tensor_shape,
                  fmt::format("tensor \"{}\" is {} {}, want f32 {}", name_of(p), kernels::name_of(t.dtype()),
                              to_string(t.shape()), to_string(p.shape)));
    std::memcpy(&values_[static_cast<size_t>(p.offset)], t.raw(), t.bytes());
  }
}

// --- batch norm statistics ---

void estimate_statistics(Model& model, BatchSource& source, int64_t epoch, const DataParallel& parallel) {
  ShardedStatistics sharded(model, parallel);
  // The first batch has momentum 1, so what stands there before does not matter; from 1 the variance would
  // round.
  for (const int bn : model.graph().bn_nodes())
    for (const Tensor& t : {model.running(bn).mean, model.running(bn).var})
      kernels::memory(model.device()).zero(t.raw(), t.bytes());
  int64_t seen = 0;
  source.start(epoch, 0);
  for (Batch batch; source.next(batch);) {
    seen += batch.whole();
    const auto share = static_cast<float>(static_cast<double>(batch.whole()) / static_cast<double>(seen));
    if (parallel.sharded())
      sharded.add(batch, share);
    else
      model.forward_statistics(batch.images.to(model.device()), share);
  }
}

// --- the hook ---

WeightAverageConfig weight_average_config(const Config& c) {
  WeightAverageConfig w;
  w.enabled = c.get<bool>("swa.enabled");
  using Evaluate = WeightAverageConfig::Evaluate;
  w.every_epoch = c.get<Evaluate>("swa.evaluate") == Evaluate::every_epoch;
  if (w.enabled) w.start = parse_duration(c.get<std::string>("swa.start"));
  return w;
}

WeightAverage::WeightAverage(WeightAverageConfig config, json model_config)
    : config_(config), model_config_(std::move(model_config)) {}

// Epochs against steps, which the config alone could not compare.
void WeightAverage::check_start(const Session& session) const {
  const int64_t per_epoch = session.steps_per_epoch();
  const Duration& total = session.config().duration;
  if (config_.start.in_steps(per_epoch) < total.in_steps(per_epoch)) return;
  throw Error(
      errors::keys_contradict,
      fmt::format("swa.start {} leaves no epoch to average: train.duration is {}, an epoch has {} steps",
                  to_string(config_.start), to_string(total), per_epoch),
      "start earlier, or set it to null for three quarters of the training");
}

void WeightAverage::before_run(Session& session) {
  check_start(session);
  start_anew(session);
}

void WeightAverage::start_anew(const Session& session) {
  remove_tree(session.run_dir().path() / file_names::averaged);  // of the network before
  mean_ = {};
  phases_ = session.phases().size();
  start_epoch_ = 0;
  result_.reset();
}

// At once, not at the epoch's end: a checkpoint may come before.
void WeightAverage::after_step(Session& session) {
  if (session.phases().size() != phases_) start_anew(session);
}

// A network that was put in at this epoch's end has not been trained yet.
bool WeightAverage::due(const Session& session) const {
  const int64_t step = session.trainer().steps();
  return step - session.trainer().schedule_start() > config_.start.in_steps(session.steps_per_epoch()) &&
         step > session.phases().back().start_step;
}

void WeightAverage::after_epoch(Session& session, EpochRecord& epoch) {
  const bool averages = due(session);
  if (!averages || session.phases().size() != phases_) start_anew(session);
  if (!averages) return;
  if (mean_.models() == 0) start_epoch_ = session.epoch();
  mean_.add(session.trainer().model());
  if (config_.every_epoch || session.goal_reached()) {
    evaluate(session);
    epoch.averaged = *result_;
  }
  epoch.averaged.models = mean_.models();
}

// The pass sees the augmentation that the next epoch would: images as the weights have not met them.
void WeightAverage::evaluate(Session& session) {
  const Model& trained = session.trainer().model();
  Model model(trained.graph(), trained.compute(), trained.device());
  model.run_like(trained);
  mean_.write_to(model);
  const SessionData& data = session.data();
  estimate_statistics(model, *data.train, session.epoch(), session.parallel());
  World* const world = session.parallel().world;
  const Evaluation test = engine::evaluate(model, *data.test, {}, {}, world);
  AveragedRecord& result = result_.emplace();
  result.top1 = test.top1_accuracy();
  result.top5 = test.top5_accuracy();
  result.loss = test.loss;
  if (data.holdout)
    result.holdout_top1 = engine::evaluate(model, *data.holdout, {}, {}, world).top1_accuracy();
  if (session.parallel().leads()) write_model(session, model);
}

void WeightAverage::write_model(const Session& session, const Model& model) const {
  Checkpoint c;
  c.state = {{"step", session.trainer().steps()},
             {"epoch", session.epoch()},
             {"phase", "swa"},
             {"models", mean_.models()},
             {"start_epoch", start_epoch_}};
  c.model = state_dict(model);
  c.optim = momentum_dict(model);
  c.metadata = {{"format", "1"}, {"graph", to_json(model.graph()).dump()}, {"config", model_config_.dump()}};
  store_conv_choices(model.conv.get(), c);
  replace_checkpoint(session.run_dir().path() / file_names::averaged, session.trainer().steps(), c);
}

json WeightAverage::save() const {
  json result;
  if (result_) {
    result = {
        {"top1", or_null(result_->top1)}, {"top5", or_null(result_->top5)}, {"loss", or_null(result_->loss)}};
    if (result_->holdout_top1) result["holdout_top1"] = *result_->holdout_top1;
  }
  return {{"models", mean_.models()}, {"phases", phases_}, {"start_epoch", start_epoch_}, {"result", result}};
}

void WeightAverage::load(Session& session, const json& state) {
  check_start(session);
  models_ = state.at("models");
  phases_ = state.at("phases");
  start_epoch_ = state.at("start_epoch");
  result_.reset();
  if (const json& result = state.at("result"); !result.is_null()) result_ = averaged_from_json(result);
}

void WeightAverage::save_tensors(std::map<std::string, Tensor>& all) const {
  mean_.save(all);
}

void WeightAverage::load_tensors(const Session& session, const std::map<std::string, Tensor>& all) {
  mean_.load(session.trainer().model(), all, models_);
}

uint64_t WeightAverage::tensor_bytes(const Session& session) const {
  return session.trainer().model().values().bytes();
}

void WeightAverage::summarize(const Session&, RunSummary& summary) const {
  summary.averaged = result_.value_or(AveragedRecord{});
  summary.averaged->models = mean_.models();
  if (mean_.models()) summary.averaged->start_epoch = start_epoch_;
}

}  // namespace eb::quant
