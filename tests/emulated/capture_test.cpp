// Recording and replay on the emulated device, and what a captured training step may not do.
#include "kernels/capture.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"
#include "engine/tensor/device_cache.h"
#include "engine/train/step_capture.h"
#include "kernels/device_error.h"
#include "kernels/elementwise.h"
#include "kernels/emulated/grid.h"
#include "support/error_code.h"

namespace eb::test {
namespace {

using engine::DType;
using engine::StepCapture;
using engine::Tensor;
using kernels::Device;
using kernels::emulated::EmulationError;

constexpr Device device = Device::cuda;
const kernels::Capture& capture = *kernels::capture(device);
const kernels::Elementwise& elementwise = kernels::elementwise(device);

float first(const Tensor& t) {
  return t.item<float>();
}

TEST(Capture, runs_nothing_until_it_is_replayed) {
  const Tensor x = Tensor::zeros({8}, DType::f32, device);
  capture.begin();
  elementwise.fill({DType::f32, 8}, 3.f, x.raw());
  void* recording = capture.end();
  EXPECT_EQ(first(x), 0.f);
  capture.replay(recording);
  EXPECT_EQ(first(x), 3.f);
  capture.destroy(recording);
}

TEST(Capture, a_wait_for_the_device_is_an_error_while_recording) {
  const Tensor x = Tensor::zeros({8}, DType::f32, device);
  capture.begin();
  EXPECT_THROW(first(x), EmulationError);
  EXPECT_THROW(engine::list_tensor({1, 2}, device), EmulationError);
  EXPECT_THROW(kernels::memory(device).synchronize(), EmulationError);
  capture.abandon();
  EXPECT_EQ(first(x), 0.f) << "and is none afterwards";
}

// y += 1, through a temporary tensor.
struct Counter {
  Tensor y = Tensor::zeros({64}, DType::f32, device), one = Tensor::empty({64}, DType::f32, device);
  Counter() { elementwise.fill({DType::f32, 64}, 1.f, one.raw()); }
  void count() const {
    const Tensor sum = Tensor::empty({64}, DType::f32, device);
    elementwise.add({DType::f32, 64}, y.raw(), one.raw(), sum.raw());
    y.copy_from(sum);
  }
};

TEST(StepCapture, replays_from_the_second_call_on) {
  const Counter c;
  StepCapture steps(device);
  int bodies = 0;
  for (int i = 0; i < 5; ++i) steps.run(c.y, [&] { ++bodies, c.count(); });
  EXPECT_EQ(first(c.y), 5.f);
  EXPECT_EQ(bodies, 2) << "warm-up and recording";
  EXPECT_EQ(steps.replays(), 4);
}

TEST(StepCapture, each_batch_size_has_its_own_recording) {
  const Counter c;
  StepCapture steps(device);
  const Tensor full = Tensor::empty({8, 1}, DType::f32, device),
               last = Tensor::empty({3, 1}, DType::f32, device);
  int bodies = 0;
  for (int i = 0; i < 4; ++i)
    for (const Tensor* input : {&full, &full, &last}) steps.run(*input, [&] { ++bodies, c.count(); });
  EXPECT_EQ(first(c.y), 12.f);
  EXPECT_EQ(bodies, 4);
}

// What a replay writes to must not be handed to anyone else in between.
TEST(StepCapture, keeps_its_memory_to_itself) {
  const Counter c;
  StepCapture steps(device);
  for (int i = 0; i < 2; ++i) steps.run(c.y, [&] { c.count(); });
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::zeros({64}, DType::f32, device));
  steps.run(c.y, [&] { c.count(); });
  for (const Tensor& t : others) EXPECT_EQ(first(t), 0.f);
  engine::trim_allocator(device);
  steps.run(c.y, [&] { c.count(); });
  EXPECT_EQ(first(c.y), 4.f);
}

TEST(StepCapture, gives_its_memory_back_when_it_goes) {
  engine::trim_allocator(device);
  const Counter c;
  const auto before = engine::allocator_stats(device);
  {
    StepCapture steps(device);
    for (int i = 0; i < 3; ++i) steps.run(c.y, [&] { c.count(); });
    EXPECT_GT(engine::allocator_stats(device).cached, before.cached);
  }
  EXPECT_EQ(engine::allocator_stats(device).cached, before.cached);
  EXPECT_EQ(engine::allocator_stats(device).in_use, before.in_use);
}

TEST(StepCapture, an_exception_while_recording_leaves_nothing_open) {
  const Counter c;
  StepCapture steps(device);
  steps.run(c.y, [&] { c.count(); });
  EXPECT_THROW(steps.run(c.y, [&] { first(c.y); }), EmulationError);
  EXPECT_EQ(first(c.y), 1.f);
  steps.run(c.y, [&] { c.count(); });
  EXPECT_EQ(first(c.y), 2.f);
}

TEST(DeviceBudget, is_an_error_that_names_it) {
  engine::DeviceCache cache(device);
  cache.set_budget(1 << 20);
  const auto held = cache.allocate(700 << 10);
  EXPECT_EQ(code_of([&] { cache.allocate(700 << 10); }), 6002);
  try {
    cache.allocate(700 << 10);
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("of a budget of 1.0 MiB"), std::string::npos) << e.what();
  }
  EXPECT_NE(cache.allocate(100 << 10), nullptr);
}

TEST(DeviceFailure, names_the_kernel_once) {
  const Counter c;
  kernels::emulated::fail_launch("fill", 1, true);
  const auto fill = [&] { elementwise.fill({DType::f32, 8}, 1.f, c.one.raw()); };
  fill();
  try {
    fill();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const kernels::DeviceError& e) {
    EXPECT_TRUE(e.lost);
    EXPECT_NE(std::string(e.what()).find("[fill]"), std::string::npos) << e.what();
  }
  fill();
}

}  // namespace
}  // namespace eb::test
