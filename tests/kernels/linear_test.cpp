// Linear layers against a double oracle: a linear layer is a 1x1 convolution of a 1x1 map.
#include "kernels/linear.h"

#include <tuple>

#include "support/devices.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::DType;
using kernels::Linear;
using Direction = Linear::Direction;

struct LinearCase {
  const char* name;
  int64_t n, in, out;
};

const LinearCase cases[] = {
    {"classifier", 128, 512, 10}, {"one_sample", 1, 17, 5},         {"one_output", 9, 33, 1},
    {"one_input", 7, 1, 3},       {"several_pieces", 70, 257, 301}, {"wide", 3, 40, 1000},
    {"tall", 500, 30, 20}};

struct Trial {
  LinearCase shape;
  DType dtype;
  kernels::Device device;
  Linear::Params p{.dtype = dtype, .n = shape.n, .in = shape.in, .out = shape.out, .deterministic = true};
  Values x{dtype, normal(p.n*p.in, 1)}, w{dtype, normal(p.out*p.in, 2)}, dy{dtype, normal(p.n*p.out, 3)};
  Floats b = to_floats(normal(p.out, 4));
  ConvOracle oracle{{.n = p.n, .h = 1, .w = 1, .c = p.in, .k = p.out, .r = 1, .s = 1}};
  const Linear& kernel = kernels::linear(device);

  Values forward(bool bias) const {
    Values y(dtype, p.n * p.out);
    const OnDevice in(device, x), weights(device, w), b_there(device, b), out(device, y);
    const Scratch workspace(device, kernel.workspace_bytes(p, Direction::forward));
    kernel.forward(p, {.x = in.get(),
                       .w = weights.get(),
                       .b = bias ? b_there.as<float>() : nullptr,
                       .y = out.get(),
                       .workspace = workspace.get()});
    out.fetch(y.data());
    return y;
  }
  Values backward_data() const {
    Values dx(dtype, p.n * p.in);
    const OnDevice in(device, dy), weights(device, w), out(device, dx);
    const Scratch workspace(device, kernel.workspace_bytes(p, Direction::backward_data));
    kernel.backward_data(p,
                         {.dy = in.get(), .w = weights.get(), .dx = out.get(), .workspace = workspace.get()});
    out.fetch(dx.data());
    return dx;
  }
  std::pair<Floats, Floats> backward_weight(bool bias = true) const {
    Floats dw(p.out * p.in, NAN), db(p.out, NAN);
    const OnDevice in(device, x), gradient(device, dy), dw_there(device, dw), db_there(device, db);
    const Scratch workspace(device, kernel.workspace_bytes(p, Direction::backward_weight));
    kernel.backward_weight(p, {.x = in.get(),
                               .dy = gradient.get(),
                               .dw = dw_there.as<float>(),
                               .db = bias ? db_there.as<float>() : nullptr,
                               .workspace = workspace.get()});
    dw_there.fetch(dw);
    db_there.fetch(db);
    return {dw, db};
  }
};

class LinearTest : public testing::TestWithParam<std::tuple<LinearCase, DType, TestDevice>> {
 protected:
  DeviceScope scope{std::get<2>(GetParam())};
  Trial trial{std::get<0>(GetParam()), std::get<1>(GetParam()), std::get<2>(GetParam()).device};
};

TEST_P(LinearTest, matches_the_oracle) {
  const ConvOracle& o = trial.oracle;
  const Doubles x = trial.x.get(), w = trial.w.get(), dy = trial.dy.get(), b = to_doubles(trial.b);
  const double stored = rounding(trial.dtype), once = rounding(DType::f32);
  for (const bool bias : {false, true}) {
    const Doubles used = bias ? b : Doubles{};
    expect_sum(trial.forward(bias).get(), o.forward(x, w, used),
               o.forward(absolute(x), absolute(w), absolute(used)), stored, "y");
  }
  expect_sum(trial.backward_data().get(), o.backward_data(dy, w), o.backward_data(absolute(dy), absolute(w)),
             stored, "dx");
  const auto [dw, db] = trial.backward_weight();
  expect_sum(to_doubles(dw), o.backward_weight(x, dy), o.backward_weight(absolute(x), absolute(dy)), once,
             "dw");
  expect_sum(to_doubles(db), o.backward_bias(dy), o.backward_bias(absolute(dy)), once, "db");
}

TEST_P(LinearTest, same_bits_for_any_threads_or_schedule) {
  expect_same_bits_everywhere(std::get<2>(GetParam()), [&] {
    return std::tuple(trial.forward(true), trial.backward_data(), trial.backward_weight());
  });
}

TEST_P(LinearTest, db_may_be_null) {
  EXPECT_EQ(trial.backward_weight(false).first, trial.backward_weight().first);
}

INSTANTIATE_TEST_SUITE_P(All, LinearTest,
                         testing::Combine(testing::ValuesIn(cases), testing::Values(DType::f32, DType::bf16),
                                          testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  name_of(std::get<1>(info.param)) + "_" + std::get<2>(info.param).name();
                         });

}  // namespace
}  // namespace eb::test
