// What ops refuse, and when add works in place. Numbers are checked through whole graphs in model_test.cpp.
#include <gtest/gtest.h>

#include "engine/base/error_codes.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/conv2d_calls.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/pool2d.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "support/error_code.h"
#include "support/values.h"

namespace eb::engine {

template <class F>
static std::string refusal(F&& f) {
  try {
    f();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "";
}

static Tensor zeros(Shape shape, DType dtype = DType::f32) {
  return Tensor::zeros(std::move(shape), dtype);
}

TEST(Ops, conv2d_names_what_it_got_and_wants) {
  Conv2dWeights w{zeros({4, 3, 3, 2}), {}, {}, {}};
  EXPECT_EQ(
      refusal([&] {
        conv2d(zeros({2, 8, 8, 3}), w, {});
      }),
      "[conv2d] got x f32 (2, 8, 8, 3), w f32 (4, 3, 3, 2), want w (K, R, S, C / groups) with 1 groups");
  EXPECT_NE(refusal([&] { conv2d(zeros({2, 8, 8, 2}, DType::bf16), w, {}); }), "");
  EXPECT_NE(refusal([&] { conv2d(zeros({2, 2, 8, 2}), w, {}); }), "") << "the kernel does not fit";
  EXPECT_NE(refusal([&] { conv2d(zeros({0, 8, 8, 2}), w, {}); }), "") << "an empty batch";
  Conv2dOptions grouped;
  grouped.groups = 3;
  EXPECT_NE(refusal([&] { conv2d(zeros({2, 8, 8, 6}), w, grouped); }), "") << "3 groups, 4 output channels";
  w.b = zeros({3});
  EXPECT_EQ(refusal([&] { conv2d(zeros({2, 8, 8, 2}), w, {}); }), "[conv2d] got b f32 (3), want f32 (4)");
}

TEST(Ops, linear_wants_matching_weights) {
  EXPECT_NE(refusal([] { linear(zeros({2, 1, 1, 3}), zeros({4, 1, 1, 2}), {}); }), "");
  EXPECT_NE(refusal([] { linear(zeros({2, 1, 1, 3}), zeros({4, 1, 1, 3}), zeros({3})); }), "");
  EXPECT_EQ(refusal([] { linear(zeros({2, 1, 1, 3}), zeros({4, 1, 1, 3}), zeros({4})); }), "");
}

TEST(Ops, batch_norm_wants_its_channels) {
  std::vector<float> mean(3), var(3, 1.f);
  const auto run = [&](Tensor gamma, Tensor residual, const std::vector<int32_t>* select) {
    BatchNormOptions options;
    if (select) options.select = engine::list_tensor(*select, engine::Device::cpu);
    return refusal([&] {
      batch_norm(zeros({2, 1, 1, 3}), gamma, zeros({3}), mean.data(), var.data(), residual, options);
    });
  };
  const std::vector<int32_t> good = {0, 2}, high = {0, 3}, back = {2, 0}, none;
  EXPECT_EQ(run(zeros({3}), {}, nullptr), "");
  EXPECT_EQ(run(zeros({3}), zeros({2, 1, 1, 2}), &good), "");
  EXPECT_NE(run(zeros({3}), zeros({2, 1, 1, 3}), &good), "");
  EXPECT_NE(run(zeros({2}), {}, nullptr), "");
  EXPECT_NE(run(zeros({3}, DType::bf16), {}, nullptr), "");
  for (const auto* select : {&high, &back, &none}) EXPECT_NE(run(zeros({3}), {}, select), "");
}

TEST(Ops, others_refuse_what_does_not_fit) {
  EXPECT_NE(refusal([] { add(zeros({2}), zeros({3})); }), "");
  EXPECT_NE(refusal([] { add(zeros({2}), zeros({2}, DType::bf16)); }), "");
  EXPECT_NE(refusal([] { select(zeros({1, 1, 1, 2}), engine::list_tensor({2}, engine::Device::cpu)); }), "");
  EXPECT_NE(refusal([] { max_pool2d(zeros({1, 2, 2, 1}), {{3, 3}, {1, 1}}); }), "");
  EXPECT_NE(refusal([] { global_avg_pool2d(zeros({2, 3})); }), "");
}

TEST(Ops, add_works_in_place_only_in_a_value_nobody_else_holds) {
  const auto of = [](float v) {
    Tensor t = Tensor::empty({1});
    t.data<float>()[0] = v;
    return t;
  };
  Tensor a = of(1);
  const Tensor b = of(2), kept = add(a, b);
  EXPECT_NE(kept.raw(), a.raw());
  EXPECT_EQ(a.data<float>()[0], 1);
  const void* memory = a.raw();
  const Tensor sum = add(std::move(a), b);
  EXPECT_EQ(sum.raw(), memory);
  EXPECT_EQ(sum.data<float>()[0], 3);
  Tensor c = of(1);
  const Tensor also = c.detach(), apart = add(std::move(c), b);
  EXPECT_NE(apart.raw(), also.raw());
  EXPECT_EQ(also.data<float>()[0], 1);
}

// Of 2^31 and more, at the input or the output; none is allocated here.
TEST(Ops, conv2d_of_more_positions_than_a_card_counts_is_an_error_by_name) {
  kernels::Conv2d::Params p{.n = (1 << 15) - 1, .h = 256, .w = 256, .c = 3, .k = 8, .r = 1, .s = 1};
  EXPECT_EQ(test::code_of([&] { check_positions(p, Device::cuda); }), 0);
  p.n = 1 << 15;
  const Error e = test::error_of([&] { check_positions(p, Device::cuda); });
  EXPECT_EQ(e.code(), errors::too_many_positions);
  EXPECT_NE(e.hint().find("at most 32767 images"), std::string::npos) << e.hint();
  EXPECT_EQ(test::code_of([&] { check_positions(p, Device::cpu); }), 0);
  p.n = (1 << 15) - 1, p.pad_h = 1;
  EXPECT_EQ(test::code_of([&] { check_positions(p, Device::cuda); }), errors::too_many_positions)
      << "y is larger than x";
}

TEST(Ops, softmax_cross_entropy_refuses_labels_outside_the_classes) {
  Tensor labels = zeros({2}, DType::i32);
  EXPECT_EQ(refusal([&] { softmax_cross_entropy(zeros({2, 3}), labels, 0); }), "");
  for (int32_t label : {3, -1}) {
    labels.data<int32_t>()[1] = label;
    EXPECT_EQ(refusal([&] {
                softmax_cross_entropy(zeros({2, 3}), labels, 0);
              }),
              "[softmax_cross_entropy] got label " + std::to_string(label) + ", want 0..2");
  }
}

// Of twice as many samples the share is half, exactly.
TEST(Ops, softmax_cross_entropy_of_a_part_of_a_batch) {
  const auto run = [](int64_t total) {
    const Tensor values = zeros({4, 3}), g = zeros({4, 3});
    const auto some = test::to_floats(test::normal(12, 1));
    std::copy(some.begin(), some.end(), values.data<float>());
    const LossResult r = softmax_cross_entropy(parameter(values, g), zeros({4}, DType::i32), 0.1f, total);
    backward(r.loss);
    std::vector<float> all(g.data<float>(), g.data<float>() + g.size());
    all.push_back(static_cast<float>(r.value()));
    return all;
  };
  std::vector<float> whole = run(0);
  EXPECT_EQ(run(4), whole);
  for (float& v : whole) v /= 2;
  EXPECT_EQ(run(8), whole);
}

}  // namespace eb::engine
