// The learning rate at hand-computed steps.
#include "engine/model/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace eb::engine {

static Duration epochs(int64_t n) {
  return {Duration::Unit::epochs, n};
}
static Duration steps(int64_t n) {
  return {Duration::Unit::steps, n};
}

TEST(Schedule, constant) {
  const Schedule s;
  for (int64_t step : {0, 1, 1000}) EXPECT_EQ(s.factor(step, 10, 100), 1.f);
}

// A pure function of the step: asking at step 1200 first gives what a run from 0 reaches there
// (docs/method.md 4.2).
TEST(Schedule, multistep_falls_at_each_milestone_even_if_asked_later_first) {
  const Schedule s{Schedule::Kind::multistep, {epochs(80), epochs(120)}, 0.1f, {}};
  EXPECT_FLOAT_EQ(s.factor(1200, 10, 1600), 0.01f);
  EXPECT_FLOAT_EQ(s.factor(799, 10, 1600), 1.f);
  EXPECT_FLOAT_EQ(s.factor(800, 10, 1600), 0.1f);
  EXPECT_FLOAT_EQ(s.factor(1199, 10, 1600), 0.1f);
  EXPECT_FLOAT_EQ(s.factor(1599, 10, 1600), 0.01f);
}

TEST(Schedule, milestones_in_steps_and_another_gamma) {
  const Schedule s{Schedule::Kind::multistep, {steps(5), epochs(2)}, 0.5f, {}};
  const float want[] = {1, 1, 1, 1, 1, 0.5f, 0.5f, 0.5f, 0.25f};
  for (int64_t step = 0; step < 9; ++step) EXPECT_EQ(s.factor(step, 4, 20), want[step]) << step;
}

TEST(Schedule, cosine_goes_from_one_to_zero) {
  const Schedule s{Schedule::Kind::cosine, {}, 0.1f, {}};
  EXPECT_FLOAT_EQ(s.factor(0, 10, 100), 1.f);
  EXPECT_NEAR(s.factor(25, 10, 100), 0.5 + std::sqrt(2.) / 4, 1e-6);
  EXPECT_NEAR(s.factor(50, 10, 100), 0.5f, 1e-6);
  EXPECT_NEAR(s.factor(100, 10, 100), 0.f, 1e-6);
  EXPECT_NEAR(s.factor(140, 10, 100), 0.f, 1e-6) << "beyond the end";
}

TEST(Schedule, warmup_is_linear_in_front_of_every_kind) {
  Schedule s{Schedule::Kind::constant, {epochs(3)}, 0.1f, epochs(2)};
  for (auto kind : {Schedule::Kind::constant, Schedule::Kind::multistep, Schedule::Kind::cosine}) {
    s.kind = kind;
    EXPECT_FLOAT_EQ(s.factor(0, 5, 100), 0.1f);
    EXPECT_FLOAT_EQ(s.factor(4, 5, 100), 0.5f);
    EXPECT_FLOAT_EQ(s.factor(9, 5, 100), 1.f);
    EXPECT_FLOAT_EQ(s.factor(10, 5, 100), 1.f);
  }
  s.kind = Schedule::Kind::cosine;
  EXPECT_NEAR(s.factor(55, 5, 100), 0.5f, 1e-6) << "half way between warm-up and end";
}

}  // namespace eb::engine
