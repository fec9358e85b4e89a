// The tape: sums, sharing, freeing, leaves, refusals.
#include "engine/tensor/autograd.h"

#include <gtest/gtest.h>

#include "engine/ops/elementwise.h"
#include "engine/tensor/allocator.h"

namespace eb::engine {

static Tensor scalar(float v) {
  Tensor t = Tensor::empty({1});
  t.data<float>()[0] = v;
  return t;
}

static Tensor leaf(float v) {
  return parameter(scalar(v), Tensor::zeros({1}));
}

static float grad(const Tensor& t) {
  return t.node()->grad.data<float>()[0];
}

// y = f * x, and nothing else in it knows of autograd.
static Tensor scaled(const Tensor& x, float f) {
  return record(scalar(x.data<float>()[0] * f), {x},
                [f](const Tensor& dy) { return std::vector<Tensor>{scalar(dy.data<float>()[0] * f)}; });
}

TEST(Autograd, chain) {
  const Tensor w = leaf(2);
  const Tensor y = scaled(scaled(w, 3), 5);
  EXPECT_EQ(y.data<float>()[0], 30);
  backward(y);
  EXPECT_EQ(grad(w), 15);
}

TEST(Autograd, sums_over_consumers_of_leaves_and_of_values) {
  const Tensor w = leaf(1);
  const Tensor h = scaled(w, 2);
  backward(add(add(scaled(h, 3), scaled(h, 4)), add(w, scaled(w, 10))));
  EXPECT_EQ(grad(w), 2 * (3 + 4) + 1 + 10);
}

// 1e8 + 1 - 1e8 is 0 or 1 in float, depending on the order: newest consumer first, always.
TEST(Autograd, sums_in_a_fixed_order) {
  for (int round = 0; round < 3; ++round) {
    const Tensor w = leaf(1);
    const Tensor h = scaled(w, 1);
    const Tensor a = scaled(h, 1), b = scaled(h, 1e8f), c = scaled(h, -1e8f);
    backward(add(a, add(b, c)));
    EXPECT_EQ(grad(w), 1.f);
  }
}

// add passes one dy to both sides; the side that overwrites it in place must not change the other.
TEST(Autograd, shared_gradients_are_not_overwritten) {
  Tensor x = Tensor::empty({2});
  x.data<float>()[0] = -1, x.data<float>()[1] = 1;
  const Tensor w = parameter(x, Tensor::zeros({2}));
  const Tensor h = record(x, {w}, [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  const Tensor y = add(h, relu(h));
  const Tensor sum = record(scalar(1), {y}, [](const Tensor&) {
    Tensor ones = Tensor::empty({2});
    ones.data<float>()[0] = ones.data<float>()[1] = 1;
    return std::vector<Tensor>{ones};
  });
  backward(sum);
  EXPECT_EQ(w.node()->grad.data<float>()[0], 1);  // relu lets nothing through here
  EXPECT_EQ(w.node()->grad.data<float>()[1], 2);
}

TEST(Autograd, reusable_only_if_nothing_else_holds_it) {
  const Tensor a = Tensor::empty({4});
  EXPECT_EQ(reusable(a).raw(), a.raw());
  const Tensor also = a.reshape({2, 2});
  EXPECT_NE(reusable(a).raw(), a.raw());
  float owned_elsewhere[4];
  const Tensor view = Tensor::view(owned_elsewhere, {4}, DType::f32, Device::cpu);
  EXPECT_NE(reusable(view).raw(), view.raw());
}

TEST(Autograd, leaf_hands_its_slice_to_the_first_writer_only) {
  const Tensor w = leaf(3);
  EXPECT_EQ(grad_buffer(w).raw(), w.node()->grad.raw());
  w.node()->written = true;
  EXPECT_NE(grad_buffer(w).raw(), w.node()->grad.raw());
  EXPECT_NE(grad_buffer(scaled(w, 2)).raw(), w.node()->grad.raw());
}

TEST(Autograd, unreached_leaves_stay_as_they_are) {
  const Tensor w = leaf(1), other = leaf(1);
  other.node()->grad.data<float>()[0] = 7;
  backward(scaled(w, 2));
  EXPECT_EQ(grad(other), 7);
  EXPECT_FALSE(other.node()->written);
}

TEST(Autograd, no_grad_records_nothing_and_ends_with_its_scope) {
  const Tensor w = leaf(1);
  {
    const NoGrad outer;
    { const NoGrad inner; }
    EXPECT_EQ(scaled(w, 2).node(), nullptr);
    EXPECT_FALSE(needs_grad(w));
  }
  EXPECT_NE(scaled(w, 2).node(), nullptr);
}

TEST(Autograd, constants_get_no_tape) {
  EXPECT_EQ(scaled(scalar(1), 2).node(), nullptr);
}

TEST(Autograd, tape_is_freed_with_its_last_tensor) {
  std::weak_ptr<TapeNode> first, last;
  {
    const Tensor h = scaled(leaf(1), 2), y = relu(h);
    first = h.node(), last = y.node();
  }
  EXPECT_TRUE(first.expired() && last.expired());
}

TEST(Autograd, a_deep_tape_is_walked_and_freed_without_deep_recursion) {
  for (bool walk : {true, false}) {
    const Tensor w = leaf(1);
    Tensor y = w;
    for (int i = 0; i < 200'000; ++i) y = scaled(y, 1);
    if (walk) backward(y);
    y = Tensor();
    EXPECT_EQ(grad(w), walk ? 1 : 0);
  }
}

TEST(Autograd, backward_frees_what_it_consumed) {
  const Tensor w = leaf(1);
  std::weak_ptr<TapeNode> inner;
  Tensor y;
  {
    const Tensor h = relu(scaled(w, 2));
    inner = h.node();
    y = scaled(h, 2);
  }
  EXPECT_FALSE(inner.expired());
  const size_t before = allocator_stats().in_use;
  backward(y);
  EXPECT_TRUE(inner.expired());
  EXPECT_LT(allocator_stats().in_use, before) << "relu's output was still held";
}

TEST(Autograd, second_backward_is_refused) {
  const Tensor y = scaled(leaf(1), 2);
  backward(y);
  EXPECT_THROW(backward(y), std::logic_error);
}

TEST(Autograd, only_scalars_have_a_backward) {
  EXPECT_THROW(backward(Tensor::zeros({2})), std::logic_error);
}

}  // namespace eb::engine
