// The op runs what is chosen in all three directions, and measuring leaves its result as it is.
#include <gtest/gtest.h>

#include "engine/ops/conv2d.h"
#include "engine/ops/conv_choice.h"
#include "engine/tensor/autograd.h"

namespace eb::engine {
namespace {

using kernels::Conv2d;
using Params = Conv2d::Params;
using Mode = ConvChoice::Mode;

// Our own kernels again, counting their calls.
struct Counted {
  static inline int forwards, backward_datas, backward_weights;
  static int calls() { return forwards + backward_datas + backward_weights; }
  static void reset() { forwards = backward_datas = backward_weights = 0; }
  static const Conv2d& own() { return kernels::conv2d(Device::cpu); }
  static void forward(const Params& p, const Conv2d::Forward& a) {
    ++forwards;
    own().forward(p, a);
  }
  static void backward_data(const Params& p, const Conv2d::BackwardData& a) {
    ++backward_datas;
    own().backward_data(p, a);
  }
  static void backward_weight(const Params& p, const Conv2d::BackwardWeight& a) {
    ++backward_weights;
    own().backward_weight(p, a);
  }
};

Tensor filled(const Shape& shape, float step) {
  Tensor t = Tensor::empty(shape);
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = step * static_cast<float>(i % 7 - 3);
  return t;
}

// dx and dw of the sum over y = conv(x, w).
std::vector<float> gradients(ConvChoice* choice) {
  Tensor dx = Tensor::zeros({1, 6, 6, 3}), dw = Tensor::zeros({4, 3, 3, 3}), dv = Tensor::zeros({1, 6, 6, 4});
  const Tensor x = parameter(filled(dx.shape(), 0.25f), dx);
  Conv2dWeights w{parameter(filled(dw.shape(), 0.5f), dw)}, sum{parameter(filled(dv.shape(), 1.f), dv)};
  backward(conv2d(conv2d(x, w, {.pad = {1, 1}, .choice = choice}), sum, {.choice = choice}).reshape({1}));
  std::vector<float> all(dx.data<float>(), dx.data<float>() + dx.size());
  all.insert(all.end(), dw.data<float>(), dw.data<float>() + dw.size());
  return all;
}

TEST(ConvChoice, is_followed_by_the_op) {
  Conv2d library = Counted::own();
  library.forward = Counted::forward;
  library.backward_data = Counted::backward_data;
  library.backward_weight = Counted::backward_weight;
  const auto want = gradients(nullptr);
  bool library_wins = true;
  int timed = 0;
  ConvChoice choice({[](Device) -> const Conv2d& { return Counted::own(); }, [&](Device) { return &library; },
                     [&](Device, const std::function<void()>& work) {
                       const int before = Counted::calls();
                       work();
                       ++timed;
                       return (Counted::calls() > before) == library_wins ? 1. : 2.;
                     }});
  for (const bool wins : {true, false}) {
    library_wins = wins;
    choice.set_mode(Mode::measured, Device::cpu);
    EXPECT_EQ(gradients(&choice), want);
    Counted::reset();
    const int measured = timed;
    EXPECT_GT(measured, 0);
    EXPECT_EQ(gradients(&choice), want);
    EXPECT_EQ(timed, measured);
    EXPECT_EQ(Counted::forwards, wins ? 2 : 0);
    EXPECT_EQ(Counted::backward_datas, wins ? 2 : 0);
    EXPECT_EQ(Counted::backward_weights, wins ? 2 : 0);
  }
}

}  // namespace
}  // namespace eb::engine
