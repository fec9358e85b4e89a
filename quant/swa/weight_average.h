// Stochastic weight averaging (Izmailov et al. 2018), for any arithmetic of the run: the mean of the weights
// at the ends of the last epochs, in a full-precision model with batch norm statistics of its own. The run
// itself does not notice: same weights with and without it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/run/session.h"

namespace eb::quant {

// Running mean of a model's parameters, in f32 on the host.
class WeightMean {
 public:
  void add(const engine::Model& model);
  void write_to(engine::Model& model) const;  // of the same graph
  int64_t models() const { return models_; }

  // Tensors "swa/PARAMETER", in the arena's layout.
  void save(std::map<std::string, engine::Tensor>& all) const;
  void load(const engine::Model& model, const std::map<std::string, engine::Tensor>& all, int64_t models);

 private:
  std::vector<engine::Parameter> parameters_;
  std::vector<float> values_;  // an arena
  int64_t models_ = 0;
};

// Replaces all running statistics by those of one epoch of `source`: the mean over batches, weighted by their
// size, of batch mean and unbiased batch variance. Those of a sharded batch are the means over its shards.
void estimate_statistics(engine::Model& model, engine::BatchSource& source, int64_t epoch,
                         const engine::DataParallel& parallel = {});

struct WeightAverageConfig {
  enum class Evaluate : uint8_t { at_end, every_epoch };
  bool enabled = false, every_epoch = false;  // every_epoch: evaluate then, not only at the end
  engine::Duration start;
};
constexpr auto enum_names(WeightAverageConfig::Evaluate) {
  return engine::names("end", "epoch");
}
WeightAverageConfig weight_average_config(const engine::Config& config);

// To be added after the hook that replaces the model.
class WeightAverage : public engine::SessionHook {
 public:
  // `model_config` is written into RUN/swa, for whoever loads it.
  WeightAverage(WeightAverageConfig config, nlohmann::json model_config);

  const char* name() const override { return "swa"; }
  void before_run(engine::Session& session) override;
  void after_step(engine::Session& session) override;
  void after_epoch(engine::Session& session, engine::EpochRecord& epoch) override;
  nlohmann::json save() const override;
  void load(engine::Session& session, const nlohmann::json& state) override;
  void save_tensors(std::map<std::string, engine::Tensor>& all) const override;
  void load_tensors(const engine::Session& session,
                    const std::map<std::string, engine::Tensor>& all) override;
  uint64_t tensor_bytes(const engine::Session& session) const override;
  void summarize(const engine::Session& session, engine::RunSummary& summary) const override;

  bool enabled() const { return config_.enabled; }
  const WeightMean& mean() const { return mean_; }

 private:
  void check_start(const engine::Session& session) const;
  bool due(const engine::Session& session) const;
  void start_anew(const engine::Session& session);
  void evaluate(engine::Session& session);
  void write_model(const engine::Session& session, const engine::Model& model) const;

  WeightAverageConfig config_;
  nlohmann::json model_config_;
  WeightMean mean_;
  size_t phases_ = 1;        // of the session when the mean began: one more is another network
  int64_t start_epoch_ = 0;  // first averaged epoch
  int64_t models_ = 0;       // of the checkpoint, between load and load_tensors
  std::optional<engine::AveragedRecord> result_;  // of the last evaluation: its accuracies and loss
};

}  // namespace eb::quant
