// The fused update against the formula of docs/method.md 4.1, one weight at a time in double.
#include "kernels/sgd.h"

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

using kernels::bf16;
using kernels::Sgd;

const Sgd& kernel = kernels::sgd(test_device().device);

struct State {
  Floats grad, momentum, master;
  std::vector<bf16> working;

  explicit State(int64_t n)
      : grad(to_floats(normal(n, 1))),
        momentum(to_floats(normal(n, 2))),
        master(to_floats(normal(n, 3))),
        working(n, bf16(-77.f)) {
    for (int64_t i = 0; i < n; i += 5) master[i] = i % 2 ? 0.f : -0.f;  // sign(0) = 0
  }
  void step(const Sgd::Params& p, const std::vector<Sgd::Segment>& segments, Sgd::Control control) {
    Staged on;
    kernel.step(p, {.segments = segments.data(),
                    .n_segments = static_cast<int64_t>(segments.size()),
                    .control = on(control),
                    .grad = on(grad),
                    .momentum = on(momentum),
                    .master = on(master),
                    .working = on(working)});
  }
};

// A weight (no L1), a BN scale, an unregularised bias, a hole of three, an empty segment, a long one.
const std::vector<Sgd::Segment> segments{{0, 100, 1e-2f, 0.f},
                                         {100, 17, 1e-2f, 0.05f},
                                         {117, 30, 0.f, 0.f},
                                         {150, 0, 1.f, 1.f},
                                         {150, 70000, 0.f, 0.3f}};
constexpr int64_t arena = 70150;

class SgdTest : public testing::TestWithParam<std::tuple<bool, float>> {
 protected:
  const Sgd::Params p{.momentum = std::get<1>(GetParam()), .nesterov = std::get<0>(GetParam())};
  Sgd::Control control{.lr = 0.1f, .grad_scale = 0.25f};
};

TEST_P(SgdTest, MatchesTheFormula) {
  State state(arena);
  const State before = state;
  state.step(p, segments, control);
  for (const Sgd::Segment& s : segments) {
    for (int64_t i = s.offset; i < s.offset + s.count; ++i) {
      const double w = before.master[i], sign = w > 0 ? 1 : w < 0 ? -1 : 0;
      const double g = double(control.grad_scale) * before.grad[i] + s.l1 * sign + double(s.weight_decay) * w;
      const double v = double(p.momentum) * before.momentum[i] + g;
      const double want = w - double(control.lr) * (p.nesterov ? g + double(p.momentum) * v : v);
      ASSERT_NEAR(state.momentum[i], v, 1e-6) << i;
      ASSERT_NEAR(state.master[i], want, 1e-6) << i;
      ASSERT_EQ(state.working[i].bits, bf16(state.master[i]).bits) << i;
    }
  }
  for (int64_t i = 147; i < 150; ++i) {
    EXPECT_EQ(state.master[i], before.master[i]);
    EXPECT_EQ(state.momentum[i], before.momentum[i]);
    EXPECT_EQ(float(state.working[i]), -77.f);
  }
}

TEST_P(SgdTest, BadGradientWritesNothing) {
  State state(arena);
  const State before = state;
  state.grad[3] = NAN;
  control.finite = 0;
  state.step(p, segments, control);
  EXPECT_EQ(state.master, before.master);
  EXPECT_EQ(state.momentum, before.momentum);
  EXPECT_EQ(float(state.working[0]), -77.f);
}

TEST_P(SgdTest, WorkingCopyDoesNotChangeTheUpdate) {
  State with(arena), without(arena);
  with.step(p, segments, control);
  {
    Staged on;
    kernel.step(p, {.segments = segments.data(),
                    .n_segments = static_cast<int64_t>(segments.size()),
                    .control = on(control),
                    .grad = on(without.grad),
                    .momentum = on(without.momentum),
                    .master = on(without.master)});
  }
  EXPECT_EQ(with.master, without.master);
}

TEST_P(SgdTest, SameBitsForAnyThreads) {
  expect_same_bits_for_any_threads([&] {
    State state(arena);
    state.step(p, segments, control);
    return std::pair(state.master, state.momentum);
  });
}

// Scale and L1 may be applied ahead of weight decay and momentum: the same bits.
TEST_P(SgdTest, PreparedIsTheSameStep) {
  State whole(arena), prepared(arena);
  whole.step(p, segments, control);
  const Floats grad = prepared.grad;
  {
    Staged on;
    kernel.prepare(segments.data(), static_cast<int64_t>(segments.size()), on(control), on(prepared.master),
                   on(prepared.grad));
  }
  EXPECT_FLOAT_EQ(prepared.grad[1], 0.25f * grad[1]);
  EXPECT_FLOAT_EQ(prepared.grad[101], 0.25f * grad[101] + (prepared.master[101] > 0 ? 0.05f : -0.05f));
  for (int64_t i = 147; i < 150; ++i) EXPECT_EQ(prepared.grad[i], grad[i]) << "hole";
  Sgd::Params then = p;
  then.prepared = true;
  prepared.step(then, segments, control);
  EXPECT_EQ(prepared.momentum, whole.momentum);
  EXPECT_EQ(prepared.master, whole.master);
}

INSTANTIATE_TEST_SUITE_P(Rules, SgdTest, testing::Combine(testing::Bool(), testing::Values(0.f, 0.9f)));

// By hand: w = 1, grad = 2, v = 0.5, wd = 0.1, l1 = 0.01, scale = 1: g = 2.11, v = 2.56, w = 1 - 0.5 * 2.56.
TEST(Sgd, HandCheckedStep) {
  float grad = 2;
  float v = 0.5f, w = 1;
  const Sgd::Segment segment{0, 1, 0.1f, 0.01f};
  Sgd::Control control{.lr = 0.5f};
  {
    Staged on;
    kernel.step({}, {.segments = &segment,
                     .n_segments = 1,
                     .control = on(control),
                     .grad = on(grad),
                     .momentum = on(v),
                     .master = on(w)});
  }
  EXPECT_NEAR(v, 2.56, 1e-6);
  EXPECT_NEAR(w, -0.28, 1e-6);
}

}  // namespace
}  // namespace eb::test
