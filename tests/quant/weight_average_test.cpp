// The mean of weights and the batch norm statistics that go with it, against sums in double.
#include "quant/swa/weight_average.h"

#include <gtest/gtest.h>

#include "support/error_code.h"
#include "support/pruning_models.h"
#include "support/values.h"

namespace eb::test {
namespace {

using namespace engine;
using quant::WeightMean;
using Tensors = std::map<std::string, Tensor>;

// Element i of every parameter is a * (i + 1).
Model model_of(float a) {
  Model m(tiny_graph(), DType::f32);
  for (const Parameter& p : m.parameters())
    for (int64_t i = 0; i < p.count; ++i) m.value(p)[i] = a * static_cast<float>(i + 1);
  m.values_changed();
  return m;
}

TEST(WeightMean, is_the_arithmetic_mean_of_hand_made_weights) {
  WeightMean mean;
  for (const float a : {1.f, 2.f, 6.f}) mean.add(model_of(a));
  EXPECT_EQ(mean.models(), 3);
  Model m(tiny_graph(), DType::f32);
  mean.write_to(m);
  const Model want = model_of(3);
  for (const Parameter& p : m.parameters())
    for (int64_t i = 0; i < p.count; ++i) ASSERT_FLOAT_EQ(m.value(p)[i], want.value(p)[i]) << p.name;
}

TEST(WeightMean, reaches_the_bf16_working_copy) {
  WeightMean mean;
  mean.add(model_of(1));
  mean.add(model_of(2));
  Model m(tiny_graph(), DType::bf16);
  mean.write_to(m);
  const Parameter& p = m.parameters()[0];
  EXPECT_EQ(float(m.working().data<bf16>()[p.offset + 2]), 4.5f);
}

TEST(WeightMean, goes_on_from_what_was_saved) {
  WeightMean straight, saved, loaded;
  for (const float a : {0.1f, 0.7f}) straight.add(model_of(a)), saved.add(model_of(a));
  Tensors all;
  saved.save(all);
  EXPECT_EQ(all.size(), model_of(1).parameters().size());
  loaded.load(model_of(9), all, 2);
  straight.add(model_of(0.35f)), loaded.add(model_of(0.35f));
  Model a = model_of(0), b = model_of(1);
  straight.write_to(a), loaded.write_to(b);
  EXPECT_EQ(std::memcmp(a.values().raw(), b.values().raw(), a.values().bytes()), 0);
}

TEST(WeightMean, refuses_tensors_of_another_network) {
  WeightMean mean, other;
  mean.add(model_of(1));
  Tensors all;
  mean.save(all);
  EXPECT_EQ(code_of([&] { other.load(model_of(1), {}, 1); }), 4010);
  all.begin()->second = Tensor::zeros({3});
  EXPECT_EQ(code_of([&] { other.load(model_of(1), all, 1); }), 4012);
  other.load(model_of(1), {}, 0);  // nothing was averaged yet
  EXPECT_EQ(other.models(), 0);
  Tensors none;
  other.save(none);
  EXPECT_TRUE(none.empty());
}

// --- statistics ---

Graph two_batch_norms() {
  Graph g = graph_from_json(nlohmann::json::parse(R"({
    "input": {"id": "x", "shape": [3, 4, 4]}, "output": "fc", "nodes": [
      {"id": "first", "op": "bn", "in": ["x"]},
      {"id": "relu", "op": "relu", "in": ["first"]},
      {"id": "conv", "op": "conv", "in": ["relu"], "out_channels": 6, "kernel": 3, "pad": 1},
      {"id": "second", "op": "bn", "in": ["conv"]},
      {"id": "fc", "op": "linear", "in": ["second"], "out_channels": 2}
    ]})"));
  g.infer_shapes();
  return g;
}

// Ten images, offset and scaled by channel, in batches of the given sizes.
class Images : public BatchSource {
 public:
  explicit Images(std::vector<int64_t> sizes) : sizes_(std::move(sizes)), values_(normal(10 * 48, 5)) {
    for (size_t i = 0; i < values_.size(); ++i)
      values_[i] = 3. + static_cast<double>(i % 3) + values_[i] * 0.5 * (1. + static_cast<double>(i % 3));
  }
  void start(int64_t epoch, int64_t first) override { epoch_ = epoch, at_ = 0, next_ = first; }
  bool next(Batch& b) override {
    if (next_ == batches_per_epoch()) return false;
    const int64_t n = sizes_[next_++];
    b = {Tensor::empty({n, 4, 4, 3}), Tensor::zeros({n}, DType::i32), std::vector<int64_t>(n)};
    for (int64_t i = 0; i < n * 48; ++i)
      b.images.data<float>()[i] = static_cast<float>(values_[at_ * 48 + i]);
    at_ += n;
    return true;
  }
  int64_t batches_per_epoch() const override { return static_cast<int64_t>(sizes_.size()); }
  int64_t samples() const override { return 10; }
  int64_t epoch() const { return epoch_; }

  // Mean and unbiased variance of channel c over images [begin, end).
  std::pair<double, double> moments(int64_t begin, int64_t end, int64_t c) const {
    const double n = static_cast<double>(end - begin) * 16;
    double sum = 0, squares = 0;
    for (int64_t i = begin * 48 + c; i < end * 48; i += 3) sum += values_[i];
    for (int64_t i = begin * 48 + c; i < end * 48; i += 3) squares += std::pow(values_[i] - sum / n, 2);
    return {sum / n, squares / (n - 1)};
  }

 private:
  std::vector<int64_t> sizes_;
  Doubles values_;
  int64_t epoch_ = -1, at_ = 0, next_ = 0;
};

Model random_model() {
  Model m(two_batch_norms(), DType::f32);
  initialize(m, {}, 3);
  return m;
}

const RunningStats& stats_of(const Model& m, const char* id) {
  for (const int bn : m.graph().bn_nodes())
    if (m.graph().nodes[bn].id == id) return m.running(bn);
  throw std::logic_error("no such batch norm");
}

TEST(EstimateStatistics, of_one_batch_are_those_of_the_whole_data_set) {
  Model m = random_model(), direct = random_model();
  Images images({10});
  quant::estimate_statistics(m, images, 4);
  EXPECT_EQ(images.epoch(), 4);
  for (int c = 0; c < 3; ++c) {
    const auto [mean, var] = images.moments(0, 10, c);
    EXPECT_NEAR(stats_of(m, "first").mean.data<float>()[c], mean, 1e-5);
    EXPECT_NEAR(stats_of(m, "first").var.data<float>()[c], var, 1e-5);
  }
  // Deeper: a training step leaves a tenth of the batch's statistics beside nine tenths of 0 and 1.
  images.start(0, 0);
  Batch batch;
  images.next(batch);
  direct.forward(batch.images, Mode::train);
  const RunningStats &got = stats_of(m, "second"), &step = stats_of(direct, "second");
  for (int c = 0; c < 6; ++c) {
    EXPECT_NEAR(got.mean.data<float>()[c], step.mean.data<float>()[c] / 0.1, 1e-4);
    EXPECT_NEAR(got.var.data<float>()[c], (step.var.data<float>()[c] - 0.9) / 0.1, 1e-4);
  }
}

TEST(EstimateStatistics, are_the_sample_weighted_mean_over_batches) {
  Model m = random_model();
  Images images({4, 5, 1});  // a short last batch must not weigh more
  quant::estimate_statistics(m, images, 0);
  for (int c = 0; c < 3; ++c) {
    const double var = 0.4 * images.moments(0, 4, c).second + 0.5 * images.moments(4, 9, c).second +
                       0.1 * images.moments(9, 10, c).second;
    EXPECT_NEAR(stats_of(m, "first").mean.data<float>()[c], images.moments(0, 10, c).first, 1e-5);
    EXPECT_NEAR(stats_of(m, "first").var.data<float>()[c], var, 1e-5);
  }
}

TEST(EstimateStatistics, forget_what_was_there_and_touch_no_weight) {
  Model a = random_model(), b = random_model();
  for (const int bn : b.graph().bn_nodes()) {
    b.running(bn).mean.copy_from(Tensor::zeros({b.graph().nodes[bn].c}));
    for (int64_t c = 0; c < b.graph().nodes[bn].c; ++c) b.running(bn).var.data<float>()[c] = 1e6f;
  }
  Images images({5, 5});
  quant::estimate_statistics(a, images, 0);
  quant::estimate_statistics(b, images, 0);
  for (const int bn : a.graph().bn_nodes())
    for (int64_t c = 0; c < a.graph().nodes[bn].c; ++c) {
      EXPECT_EQ(a.running(bn).mean.data<float>()[c], b.running(bn).mean.data<float>()[c]);
      EXPECT_EQ(a.running(bn).var.data<float>()[c], b.running(bn).var.data<float>()[c]);
    }
  const Model fresh = random_model();
  EXPECT_EQ(std::memcmp(a.values().raw(), fresh.values().raw(), fresh.values().bytes()), 0);
}

}  // namespace
}  // namespace eb::test
