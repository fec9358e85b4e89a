// A run whose convolutions were chosen by measurement computes the same bits when it is resumed, although the
// clock would choose otherwise by then.
#include <gtest/gtest.h>

#include <cstring>

#include "engine/ops/conv_choice.h"
#include "engine/run/session.h"
#include "support/temp_dir.h"

namespace eb::engine {
namespace {

using kernels::Conv2d;
using Params = Conv2d::Params;

Graph tiny_graph() {
  Graph g = graph_from_json(nlohmann::json::parse(R"({
    "input": {"id": "x", "shape": [3, 6, 6]}, "output": "fc", "nodes": [
      {"id": "a", "op": "conv", "in": ["x"], "out_channels": 8, "kernel": 3, "pad": 1},
      {"id": "a_bn", "op": "bn", "in": ["a"]},
      {"id": "a_relu", "op": "relu", "in": ["a_bn"]},
      {"id": "b", "op": "conv", "in": ["a_relu"], "out_channels": 5, "kernel": 3, "stride": 2},
      {"id": "fc", "op": "linear", "in": ["b"], "out_channels": 4}
    ]})"));
  g.infer_shapes();
  return g;
}

class Images : public BatchSource {
 public:
  void start(int64_t, int64_t first) override { next_ = first; }
  bool next(Batch& b) override {
    if (next_ == batches_per_epoch()) return false;
    b = {Tensor::empty({4, 6, 6, 3}), Tensor::empty({4}, DType::i32), {0, 1, 2, 3}};
    for (int64_t i = 0; i < b.images.size(); ++i)
      b.images.data<float>()[i] = 0.1f * static_cast<float>((i * 37 + next_ * 11) % 19 - 9);
    for (int i = 0; i < 4; ++i) b.labels.data<int32_t>()[i] = i;
    ++next_;
    return true;
  }
  int64_t batches_per_epoch() const override { return 3; }
  int64_t samples() const override { return 12; }

 private:
  int64_t next_ = 0;
};

// Results a little larger than ours: a library that rounds in its own way.
void other_forward(const Params& p, const kernels::Conv2d::Forward& a) {
  kernels::conv2d(Device::cpu).forward(p, a);
  for (int64_t i = 0; i < p.n * p.out_h() * p.out_w() * p.k; ++i) static_cast<float*>(a.y)[i] *= 1.001f;
}

class ConvChoiceSession : public testing::Test {
 protected:
  ConvChoiceSession() : library_(kernels::conv2d(Device::cpu)) { library_.forward = other_forward; }

  // The library wins every second measurement, or every other one.
  void use_clock(bool library_first) {
    rounds_ = 0, library_first_ = library_first;
    choice_ = std::make_shared<ConvChoice>(
        ConvChoice::Source{[](Device) -> const Conv2d& { return kernels::conv2d(Device::cpu); },
                           [this](Device) { return &library_; },
                           [this](Device, const std::function<void()>& work) {
                             work();
                             const int shape = rounds_ / 10, turn = rounds_ % 2;  // turn 1: the library
                             ++rounds_;
                             return (shape % 2 == 0) == library_first_ && turn == 1 ? 0.5 : 1.;
                           }});
    choice_->set_mode(ConvChoice::Mode::measured, Device::cpu);
  }
  // Trains in `folder`, going on from its checkpoint if it has one, up to a step; returns the weights there.
  std::vector<float> train(const std::string& folder, int64_t max_steps) {
    TrainConfig config;
    config.duration = parse_duration("3ep");
    config.batch_size = 4;
    config.lr = 0.05f;
    config.max_steps = max_steps;
    Images images, test;
    RunDir run = RunDir::open(dir_.path() / folder);
    SessionObserver observer;
    Model model(tiny_graph(), DType::f32);
    model.conv = choice_;
    initialize(model, {}, 1);
    Session session(std::move(model), config, {&images, nullptr, &test, ""}, run, {{"seed", 1}}, observer);
    if (const auto found = find_latest(run.path() / "ckpt")) session.resume(load_checkpoint(found->path));
    session.run();
    const Tensor& values = session.trainer().model().values();
    return {values.data<float>(), values.data<float>() + values.size()};
  }

  TempDir dir_;
  Conv2d library_;
  std::shared_ptr<ConvChoice> choice_;
  int rounds_ = 0;
  bool library_first_ = true;
};

TEST_F(ConvChoiceSession, resumes_to_the_same_bits) {
  use_clock(true);
  const auto want = train("straight", 9);
  const auto choices = choice_->to_json();
  EXPECT_GE(choices.size(), 4u);
  for (const int64_t stop : {3, 4, 7}) {  // from the first epoch's end on, every shape has been met
    const std::string folder = "stopped" + std::to_string(stop);
    use_clock(true);
    train(folder, stop);
    use_clock(false);
    EXPECT_EQ(train(folder, 9), want) << "stopped after step " << stop;
    EXPECT_EQ(choice_->to_json(), choices);
    EXPECT_EQ(rounds_, 0) << "measured again";
  }
  use_clock(false);
  EXPECT_NE(train("other", 9), want) << "the two clocks lead to the same bits: this test shows nothing";
}

TEST_F(ConvChoiceSession, a_run_that_measures_nothing_stores_nothing) {
  train("plain", 2);
  const auto found = find_latest(dir_.path() / "plain/ckpt");
  ASSERT_TRUE(found);
  EXPECT_EQ(load_checkpoint(found->path).metadata.count("conv_choices"), 0u);
}

}  // namespace
}  // namespace eb::engine
