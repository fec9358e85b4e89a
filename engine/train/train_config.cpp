#include "engine/train/train_config.h"

#include "engine/config/config.h"
#include "engine/tensor/dtype_names.h"

namespace eb::engine {

static Duration duration(const Config& c, const std::string& key) {
  return parse_duration(c.get<std::string>(key));
}

static Schedule schedule(const Config& c) {
  Schedule s;
  s.kind = c.get<Schedule::Kind>("train.schedule.kind");
  for (const auto& at : c.get<std::vector<std::string>>("train.schedule.at"))
    s.at.push_back(parse_duration(at));
  s.gamma = c.get<float>("train.schedule.gamma");
  s.warmup = duration(c, "train.schedule.warmup");
  return s;
}

static Sgd::Config optimizer(const Config& c) {
  Sgd::Config o;
  o.momentum = c.get<float>("train.optimizer.momentum");
  o.nesterov = c.get<bool>("train.optimizer.nesterov");
  o.weight_decay = c.get<float>("train.optimizer.weight_decay");
  o.decay_bn = c.get<bool>("train.optimizer.decay_bn");
  if (!c.is_null("train.clip_norm")) o.clip_norm = c.get<float>("train.clip_norm");
  return o;
}

TrainConfig train_config(const Config& c) {
  TrainConfig t;
  t.seed = c.get<uint64_t>("seed");
  t.duration = duration(c, "train.duration");
  t.batch_size = c.get<int64_t>("train.batch_size");
  t.eval_batch_size = c.get<int64_t>("train.eval_batch_size");
  t.lr = c.get<float>("train.optimizer.lr");
  t.label_smoothing = c.get<float>("train.label_smoothing");
  t.optimizer = optimizer(c);
  t.schedule = schedule(c);
  t.compute = c.get<DType>("precision.mode");
  t.checkpoint_every = duration(c, "checkpoint.every");
  if (!c.is_null("checkpoint.every_minutes"))
    t.checkpoint_every_minutes = c.get<double>("checkpoint.every_minutes");
  t.keep_last = c.get<int64_t>("checkpoint.keep_last");
  t.keep_best = c.get<int64_t>("checkpoint.keep_best");
  if (!c.is_null("checkpoint.milestones")) t.milestones = duration(c, "checkpoint.milestones");
  t.log_every = c.get<int64_t>("log.every");
  t.energy = c.get<LogEnergy>("log.energy") != LogEnergy::off;
  t.agree_every = c.get<int64_t>("distributed.agree_every");
  t.check_ranks = c.get<CheckRanks>("distributed.check");
  return t;
}

}  // namespace eb::engine
