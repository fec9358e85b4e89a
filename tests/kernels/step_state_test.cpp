// A step judged by the shards of its batch, and running statistics updated from their sum.
#include "kernels/step_state.h"

#include "kernels/batch_norm.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using kernels::StepState;

const kernels::StepControl& kernel = kernels::step_control(test_device().device);

Floats slot(int64_t samples, float loss, std::vector<int32_t> counts) {
  Floats s(kernels::StepControl::slot_floats, 99.f);
  {
    Staged on;
    kernel.slot(samples, on(loss), on(counts), on(s));
  }
  return s;
}

struct Judged {
  StepState state = {};
  void operator()(int64_t samples, const std::vector<Floats>& shards, int32_t finite = 1, double clip = 0,
                  double squares = 0) {
    Floats slots;
    for (const Floats& s : shards) slots.insert(slots.end(), s.begin(), s.end());
    Staged on;
    kernel.judge_shards({.samples = samples, .clip_norm = clip},
                        {.slots = on(slots),
                         .shards = static_cast<int64_t>(shards.size()),
                         .finite = on(finite),
                         .squares = clip > 0 ? on(squares) : nullptr,
                         .state = on(state)});
  }
};

const Floats empty(kernels::StepControl::slot_floats, 0.f);

TEST(StepState, a_slot_is_what_a_shard_says) {
  EXPECT_EQ(slot(12, 0.25f, {3, 7}), (Floats{0.25f, 3, 7, 12, 0}));
  for (const float bad : {INFINITY, -INFINITY}) EXPECT_EQ(slot(12, bad, {3, 7}), (Floats{bad, 3, 7, 12, 1}));
  EXPECT_EQ(slot(12, NAN, {0, 1})[4], 1);
}

TEST(StepState, shards_are_added_in_double_in_their_order) {
  Judged judged;
  // In float 1e8 + 1 - 1e8 is 0.
  judged(32, {slot(12, 1e8f, {3, 7}), slot(12, 1, {1, 2}), empty, slot(8, -1e8f, {2, 8})});
  EXPECT_EQ(judged.state.loss, 1);
  EXPECT_EQ(judged.state.loss_sum, 32);
  EXPECT_EQ(judged.state.top1, 6);
  EXPECT_EQ(judged.state.top5, 17);
  EXPECT_EQ(judged.state.samples, 32);
  EXPECT_EQ(judged.state.steps, 1);
  EXPECT_EQ(judged.state.bad_step, -1);
  EXPECT_EQ(judged.state.bad_shard, -1);
  EXPECT_EQ(judged.state.update.finite, 1);
  EXPECT_EQ(judged.state.update.grad_scale, 1);
}

TEST(StepState, one_shard_is_judged_as_a_step) {
  float loss = 2.302585f;
  const std::vector<int32_t> counts{5, 31};
  double squares = 6.25;
  Judged judged;
  judged(48, {slot(48, loss, counts)}, 1, 1, squares);
  StepState step;
  {
    Staged on;
    int32_t finite = 1;
    kernel.judge({.samples = 48, .clip_norm = 1}, {.loss = on(loss),
                                                   .counts = on(counts),
                                                   .finite = on(finite),
                                                   .squares = on(squares),
                                                   .state = on(step)});
  }
  EXPECT_EQ(judged.state.loss, step.loss);
  EXPECT_EQ(judged.state.loss_sum, step.loss_sum);
  EXPECT_EQ(judged.state.top1, step.top1);
  EXPECT_EQ(judged.state.top5, step.top5);
  EXPECT_EQ(judged.state.samples, step.samples);
  EXPECT_EQ(judged.state.update.grad_scale, step.update.grad_scale);
  EXPECT_EQ(judged.state.update.grad_scale, 0.4f);
  EXPECT_EQ(judged.state.update.finite, step.update.finite);
}

TEST(StepState, the_first_bad_shard_of_the_first_bad_step_is_kept) {
  const Floats good = slot(4, 0.5f, {1, 2}), bad = slot(4, NAN, {0, 0});
  Judged judged;
  judged(12, {good, good, good});
  judged(12, {good, bad, bad});
  EXPECT_EQ(judged.state.bad_step, 1);
  EXPECT_EQ(judged.state.bad_shard, 1);
  EXPECT_EQ(judged.state.update.finite, 0);
  judged(12, {bad, good, good});
  judged(12, {good, good, good});
  EXPECT_EQ(judged.state.bad_step, 1);
  EXPECT_EQ(judged.state.bad_shard, 1);
  EXPECT_EQ(judged.state.update.finite, 0);
  EXPECT_EQ(judged.state.steps, 4);
  EXPECT_EQ(judged.state.samples, 12) << "only good steps count";
}

TEST(StepState, bad_gradients_under_finite_losses_name_no_shard) {
  const Floats good = slot(4, 0.5f, {1, 2}), bad = slot(4, NAN, {0, 0});
  Judged judged;
  judged(8, {good, good}, 0);
  judged(8, {good, bad});
  EXPECT_EQ(judged.state.bad_step, 0);
  EXPECT_EQ(judged.state.bad_shard, -1);
}

TEST(StepState, losses_that_cancel_are_bad) {
  Judged judged;
  judged(8, {Floats{INFINITY, 0, 0, 4, 1}, Floats{1, 0, 0, 4, 0}});
  EXPECT_EQ(judged.state.bad_shard, 0);
  Judged huge;  // each finite, their sum not as a float
  huge(8, {slot(4, 3e38f, {0, 0}), slot(4, 3e38f, {0, 0})});
  EXPECT_EQ(huge.state.bad_step, 0);
  EXPECT_EQ(huge.state.bad_shard, -1);
}

Floats running(const Floats& factor, const Floats& of_batch, Floats now, const StepState* state = nullptr) {
  StepState s = state ? *state : StepState{};
  {
    Staged on;
    kernel.running(static_cast<int64_t>(now.size()), on(factor), on(of_batch), state ? on(s) : nullptr,
                   on(now));
  }
  return now;
}

// As the update of a batch norm that sees the whole batch, bit for bit: with momentum 1 and from zero it
// leaves the batch's own statistics.
TEST(StepState, running_statistics_are_those_of_batch_norm) {
  constexpr int64_t c = 37, rows = 50;
  constexpr float momentum = 0.1f;
  const Floats x = to_floats(normal(rows * c, 3, 0.5, 2)), ones(c, 1.f), zeros(c, 0.f);
  const auto batch_norm = [&](float momentum, Floats& mean, Floats& var) {
    kernels::BatchNorm::Params p{};
    p.rows = rows, p.c = p.c_in = c, p.momentum = momentum, p.eps = 1e-5f;
    Floats y(rows * c), mu(c), rstd(c);
    const auto& bn = kernels::batch_norm(test_device().device);
    Staged on;
    bn.forward_train(
        p, {.x = on(x),
            .gamma = on(ones),
            .beta = on(zeros),
            .y = on(y),
            .mean = on(mu),
            .rstd = on(rstd),
            .running_mean = on(mean),
            .running_var = on(var),
            .workspace = on.workspace(bn.workspace_bytes(p, kernels::BatchNorm::Direction::forward_train))});
  };
  Floats mean = to_floats(normal(c, 4)), var(c, 1.5f), of_mean(c), of_var(c);
  const Floats mean_before = mean, var_before = var, factor(c, momentum);
  batch_norm(1, of_mean, of_var);
  batch_norm(momentum, mean, var);
  EXPECT_NE(mean, mean_before);
  EXPECT_EQ(running(factor, of_mean, mean_before), mean);
  EXPECT_EQ(running(factor, of_var, var_before), var);
}

TEST(StepState, running_statistics_without_a_factor_are_left_alone) {
  const Floats now{1.25f, -0.f, INFINITY, 3, 7};
  const Floats next = running({0, 0, 0, 0, 0.5f}, {0, 0, 0, NAN, 9}, now);
  EXPECT_EQ(next, (Floats{1.25f, 0.f, INFINITY, 3, 8}));
  EXPECT_TRUE(std::signbit(next[1]));
}

TEST(StepState, running_statistics_do_not_see_a_bad_step) {
  const Floats half(5000, 0.5f), two(5000, 2.f), zero(5000, 0.f), one(5000, 1.f);
  StepState state;
  state.update.finite = 0;
  EXPECT_EQ(running(half, two, zero, &state), zero);
  state.update.finite = 1;
  EXPECT_EQ(running(half, two, zero, &state), one);
}

}  // namespace
}  // namespace eb::test
