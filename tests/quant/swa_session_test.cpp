// The averaging inside a run: what it averages, that the run does not notice, that a run stopped anywhere
// ends with the same average, and that another network starts it anew.
#include <gtest/gtest.h>

#include <algorithm>

#include "quant/swa/weight_average.h"
#include "support/error_code.h"
#include "support/pruning_models.h"
#include "support/temp_dir.h"
#include "support/values.h"

namespace eb::test {
namespace {

using namespace engine;
using nlohmann::json;
using quant::WeightAverage;
using Floats = std::vector<float>;

// Batches of 4, 4 and 2 images that depend on the epoch, as augmented ones do.
class Images : public BatchSource {
 public:
  void start(int64_t epoch, int64_t first) override { epoch_ = epoch, next_ = first; }
  bool next(Batch& b) override {
    if (next_ == 3) return false;
    b = random_batch(tiny_graph(), next_ == 2 ? 2 : 4, static_cast<uint64_t>(100 * epoch_ + next_ + 1));
    ++next_;
    return true;
  }
  int64_t batches_per_epoch() const override { return 3; }
  int64_t samples() const override { return 10; }

 private:
  int64_t epoch_ = 0, next_ = 0;
};

Floats weights_of(const Model& m) {
  return {m.values().data<float>(), m.values().data<float>() + m.values().size()};
}

// Notes the weights at the end of every epoch.
class Recorder : public SessionHook {
 public:
  const char* name() const override { return "recorder"; }
  void after_epoch(Session& s, EpochRecord&) override { weights.push_back(weights_of(s.trainer().model())); }
  std::vector<Floats> weights;
};

// Puts in a fresh network, as the draw does: at a step, or at the end of the epoch that this step ends.
class Replacer : public SessionHook {
 public:
  const char* name() const override { return "replacer"; }
  Replacer(int64_t step, bool at_epoch_end) : step_(step), at_epoch_end_(at_epoch_end) {}
  void after_step(Session& s) override { act(s, false); }
  void after_epoch(Session& s, EpochRecord&) override { act(s, true); }

 private:
  void act(Session& s, bool epoch_end) {
    if (s.trainer().steps() != step_ || epoch_end != at_epoch_end_) return;
    Graph g = tiny_graph();
    g.nodes[g.find("c")].out_channels = 5;
    g.infer_shapes();
    Model small(g, DType::f32);
    initialize(small, {}, 2);
    s.replace_model(std::move(small), Phase::retrain);
    s.request_checkpoint();
  }
  int64_t step_;
  bool at_epoch_end_;
};

struct Plan {
  std::string duration = "4ep", start = "1ep";
  bool swa = true, every_epoch = false;
  int64_t stop_at = 1000;
  SessionHook* first = nullptr;  // before the averaging
};

struct Result {
  json summary;
  Floats weights;
  int64_t models = 0;
};

class SwaSession : public testing::Test {
 protected:
  // Trains in `folder`, going on from its checkpoint if it has one.
  Result train(const std::string& folder, const Plan& r) {
    TrainConfig config;
    config.duration = parse_duration(r.duration);
    config.batch_size = 4;
    config.lr = 0.05f;
    config.checkpoint_every = parse_duration("1ep");
    config.max_steps = r.stop_at;
    Images images, test;
    RunDir run = RunDir::open(dir_ / folder);
    SessionObserver observer;
    Model model(tiny_graph(), DType::f32);
    initialize(model, {}, 1);
    Session session(std::move(model), config, {&images, nullptr, &test, ""}, run, {{"seed", 1}}, observer);
    WeightAverage swa({true, r.every_epoch, parse_duration(r.start)}, {{"seed", 1}});
    if (r.first) session.add_hook(r.first);
    if (r.swa) session.add_hook(&swa);
    if (const auto found = find_latest(run.path() / "ckpt")) session.resume(load_checkpoint(found->path));
    session.run();
    return {to_json(session.summary()), weights_of(session.trainer().model()), swa.mean().models()};
  }
  Checkpoint averaged(const std::string& folder) const { return load_checkpoint(dir_ / folder / "swa"); }
  // By name, every tensor of the model.
  std::map<std::string, Floats> model_in(const std::string& folder) const {
    std::map<std::string, Floats> all;
    for (const auto& [name, t] : averaged(folder).model)
      all[name] = {t.data<float>(), t.data<float>() + t.size()};
    return all;
  }
  TempDir dir_{true};
  ThreadCount one_thread_{1};  // the network is too small for more
};

TEST_F(SwaSession, averages_the_ends_of_the_epochs_after_the_start) {
  Recorder recorder;
  const Result r = train("run", {.first = &recorder});
  ASSERT_EQ(recorder.weights.size(), 4u);
  EXPECT_EQ(r.models, 3);
  EXPECT_EQ(r.summary["swa"]["models"], 3);
  EXPECT_EQ(r.summary["swa"]["start_epoch"], 2);
  Model m(tiny_graph(), DType::f32);
  load_state_dict(m, averaged("run").model);
  for (const Parameter& p : m.parameters())
    for (int64_t i = 0; i < p.count; ++i) {
      double sum = 0;
      for (int epoch = 1; epoch < 4; ++epoch) sum += recorder.weights[epoch][p.offset + i];
      ASSERT_NEAR(m.value(p)[i], sum / 3, 1e-6) << p.name;
    }
  Images images;
  images.start(0, 0);
  const Evaluation e = evaluate(m, images);
  EXPECT_EQ(r.summary["swa"]["top1"], e.top1_accuracy());
  EXPECT_EQ(r.summary["swa"]["loss"], e.loss);
  EXPECT_EQ(averaged("run").state["models"], 3);
}

TEST_F(SwaSession, the_run_does_not_notice) {
  const Result without = train("without", {.swa = false});
  for (const bool every_epoch : {false, true}) {
    const Result with = train(every_epoch ? "every" : "end", {.every_epoch = every_epoch});
    EXPECT_EQ(with.weights, without.weights);
    EXPECT_EQ(with.summary["dense"]["test_loss"], without.summary["dense"]["test_loss"]);
  }
  EXPECT_FALSE(without.summary.contains("swa"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "without/swa"));
  EXPECT_EQ(model_in("every"), model_in("end"));
}

TEST_F(SwaSession, stopped_anywhere_ends_with_the_same_average) {
  const Result want = train("straight", {.every_epoch = true});
  for (int64_t stop = 1; stop < 12; ++stop) {
    const std::string folder = "stopped" + std::to_string(stop);
    train(folder, {.every_epoch = true, .stop_at = stop});
    const Result got = train(folder, {.every_epoch = true});
    EXPECT_EQ(got.weights, want.weights) << stop;
    EXPECT_EQ(got.summary["swa"], want.summary["swa"]) << stop;
    EXPECT_EQ(model_in(folder), model_in("straight")) << stop;
  }
}

TEST_F(SwaSession, a_finished_run_says_the_same_again) {
  const Result first = train("run", {}), again = train("run", {});
  EXPECT_EQ(first.summary["swa"], again.summary["swa"]);
}

TEST_F(SwaSession, a_run_that_ends_within_an_epoch_averages_its_end) {
  const Result r = train("run", {.duration = "8st", .start = "7st"});
  EXPECT_EQ(r.models, 1);
  EXPECT_EQ(r.summary["swa"]["start_epoch"], 3);
}

TEST_F(SwaSession, another_network_starts_anew) {
  Replacer in_the_middle(7, false), at_the_end(9, true);
  const Result middle = train("middle", {.start = "0ep", .every_epoch = true, .first = &in_the_middle});
  EXPECT_EQ(middle.models, 2) << "epochs 3 and 4";
  EXPECT_EQ(middle.summary["swa"]["start_epoch"], 3);
  const Result end = train("end", {.start = "0ep", .every_epoch = true, .first = &at_the_end});
  EXPECT_EQ(end.models, 1) << "what was put in at the end of epoch 3 was not trained by it";
  EXPECT_EQ(end.summary["swa"]["start_epoch"], 4);
  EXPECT_EQ(model_in("end").at("fc.bias"), Floats(end.weights.end() - 16, end.weights.end() - 12));
}

// A checkpoint between the replacement and the epoch's end holds the new network and no average of the old.
TEST_F(SwaSession, stopped_around_the_replacement_ends_with_the_same_average) {
  Replacer replacer(7, false);
  const Plan whole{.start = "0ep", .every_epoch = true, .first = &replacer};
  const Result want = train("straight", whole);
  for (const int64_t stop : {6, 7, 8, 9, 10}) {
    const std::string folder = "stopped" + std::to_string(stop);
    Plan part = whole;
    part.stop_at = stop;
    train(folder, part);
    EXPECT_EQ(train(folder, whole).summary["swa"], want.summary["swa"]) << stop;
    EXPECT_EQ(model_in(folder), model_in("straight")) << stop;
  }
}

TEST_F(SwaSession, a_network_put_in_at_the_very_end_leaves_nothing_to_average) {
  Replacer replacer(12, true);
  const Result r = train("run", {.every_epoch = true, .first = &replacer});
  EXPECT_EQ(r.summary["swa"]["models"], 0);
  EXPECT_TRUE(r.summary["swa"]["top1"].is_null());
  EXPECT_TRUE(r.summary["swa"]["start_epoch"].is_null());
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run/swa")) << "the model of the network before";
}

TEST_F(SwaSession, goes_on_from_a_checkpoint_without_averaging) {
  train("run", {.swa = false, .stop_at = 6});
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run/ckpt/step-00000006/hooks.safetensors"));
  const Result r = train("run", {});
  EXPECT_EQ(r.models, 2);
  EXPECT_EQ(r.summary["swa"]["start_epoch"], 3);
}

TEST_F(SwaSession, a_damaged_average_is_refused) {
  train("run", {.stop_at = 9});
  const auto found = find_latest(dir_ / "run/ckpt");
  Checkpoint c = load_checkpoint(found->path);
  ASSERT_FALSE(c.hooks.empty());
  c.hooks.erase(c.hooks.begin());
  replace_checkpoint(found->path, found->step, c);
  EXPECT_EQ(code_of([&] { train("run", {}); }), 4010);
}

TEST_F(SwaSession, a_start_that_leaves_nothing_is_refused) {
  EXPECT_EQ(code_of([&] { train("steps", {.start = "12st"}); }), 2010);
  EXPECT_EQ(code_of([&] { train("epochs", {.duration = "7st", .start = "3ep"}); }), 2010);
  EXPECT_EQ(code_of([&] { train("just", {.duration = "7st", .start = "2ep"}); }), 0);
}

}  // namespace
}  // namespace eb::test
