// Recording and replay on the emulated device, and what a captured training step may not do.
#include "kernels/capture.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"
#include "engine/tensor/device_cache.h"
#include "engine/train/step_capture.h"
#include "kernels/device_error.h"
#include "kernels/elementwise.h"
#include "kernels/emulated/grid.h"
#include "kernels/emulated/strict_memory.h"
#include "kernels/room.h"
#include "kernels/side_copies.h"
#include "support/error_code.h"

namespace eb::test {
namespace {

using engine::DType;
using engine::StepCapture;
using engine::Tensor;
using kernels::Device;

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
  const auto& copies = kernels::side_copies(device);
  const float host[8] = {};
  capture.begin();
  EXPECT_THROW(first(x), std::logic_error);
  EXPECT_THROW(engine::list_tensor({1, 2}, device), std::logic_error);
  EXPECT_THROW(kernels::memory(device).synchronize(), std::logic_error);
  EXPECT_THROW(copies.send(x.raw(), host, sizeof host), std::logic_error);
  EXPECT_THROW(copies.arrive(), std::logic_error);
  EXPECT_THROW(copies.release(), std::logic_error);
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
  for (int i = 0; i < 5; ++i) steps.run(c.y, c.y.dim(0), [&] { ++bodies, c.count(); });
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
    for (const Tensor* input : {&full, &full, &last})
      steps.run(*input, input->dim(0), [&] { ++bodies, c.count(); });
  EXPECT_EQ(first(c.y), 12.f);
  EXPECT_EQ(bodies, 4);
}

// What a replay writes to must not be handed to anyone else in between.
TEST(StepCapture, keeps_its_memory_to_itself) {
  const Counter c;
  StepCapture steps(device);
  for (int i = 0; i < 2; ++i) steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::zeros({64}, DType::f32, device));
  steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  for (const Tensor& t : others) EXPECT_EQ(first(t), 0.f);
  engine::trim_allocator(device);
  steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  EXPECT_EQ(first(c.y), 4.f);
}

TEST(StepCapture, gives_its_memory_back_when_it_goes) {
  engine::trim_allocator(device);
  const Counter c;
  const auto before = engine::allocator_stats(device);
  {
    StepCapture steps(device);
    for (int i = 0; i < 3; ++i) steps.run(c.y, c.y.dim(0), [&] { c.count(); });
    EXPECT_GT(engine::allocator_stats(device).cached, before.cached);
  }
  EXPECT_EQ(engine::allocator_stats(device).cached, before.cached);
  EXPECT_EQ(engine::allocator_stats(device).in_use, before.in_use);
}

TEST(StepCapture, an_exception_while_recording_leaves_nothing_open) {
  const Counter c;
  StepCapture steps(device);
  steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  EXPECT_THROW(steps.run(c.y, c.y.dim(0), [&] { first(c.y); }), std::logic_error);
  EXPECT_EQ(first(c.y), 1.f);
  steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  EXPECT_EQ(first(c.y), 2.f);
}

// The device has so many bytes left for a scope, and no cached blocks.
struct Room {
  explicit Room(size_t bytes) {
    engine::trim_allocator(device);
    kernels::emulated::set_memory_limit(bytes);
  }
  ~Room() { kernels::emulated::set_memory_limit(0); }
};
constexpr size_t kib = 1024;

bool room_for(size_t bytes) {  // for the runtime's own memory, past the cache
  try {
    kernels::memory(device).release(kernels::memory(device).allocate(bytes));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// A recording takes memory of the device beside that of tensors: here 250 KiB.
TEST(CaptureMemory, cached_blocks_make_room_for_a_recording) {
  const Tensor x = Tensor::zeros({8}, DType::f32, device);
  const Room room(300 * kib);
  const auto record = [&] {
    capture.begin();
    for (int i = 0; i < 1000; ++i) elementwise.fill({DType::f32, 8}, 3.f, x.raw());
    return capture.end();
  };
  auto held = engine::allocate(200 * kib, device);
  EXPECT_THROW(record(), kernels::DeviceMemoryError);
  held.reset();
  EXPECT_GT(engine::allocator_stats(device).cached, 0u);
  void* recording = record();
  EXPECT_EQ(engine::allocator_stats(device).cached, 0u);
  capture.replay(recording);
  EXPECT_EQ(first(x), 3.f);
  capture.destroy(recording);
}

// The step that is recorded wants more than its warm-up did.
TEST(CaptureMemory, cached_blocks_make_room_for_a_step_that_is_recorded) {
  const Counter c;
  const Room room(300 * kib);
  StepCapture steps(device);
  int bodies = 0;
  const auto step = [&] {
    if (++bodies > 1) engine::allocate(200 * kib, device);
    c.count();
  };
  steps.run(c.y, c.y.dim(0), step);
  auto held = engine::allocate(200 * kib, device);
  EXPECT_EQ(code_of([&] { steps.run(c.y, c.y.dim(0), step); }), 6002);
  EXPECT_EQ(bodies, 2) << "nothing to give back, so no second try";
  held.reset();
  steps.run(c.y, c.y.dim(0), step);
  EXPECT_EQ(bodies, 4) << "once in vain, and once more";
  EXPECT_EQ(first(c.y), 2.f);
}

// The code of a kernel that only the recorded step launches, and for which CUDA finds no room.
TEST(CaptureMemory, cached_blocks_make_room_for_what_the_runtime_takes_in_a_recording) {
  const Counter c;
  const Room room(300 * kib);
  StepCapture steps(device);
  int bodies = 0;
  const auto step = [&] {
    ++bodies;
    const bool full = kernels::capturing && !kernels::with_room([] { return room_for(200 * kib); });
    if (full) throw kernels::DeviceMemoryError("[a kernel] no room for its code");
    c.count();
  };
  steps.run(c.y, c.y.dim(0), step);
  auto held = engine::allocate(200 * kib, device);
  EXPECT_THROW(steps.run(c.y, c.y.dim(0), step), kernels::DeviceMemoryError);
  EXPECT_EQ(bodies, 2) << "nothing to give back, so no second try";
  held.reset();
  steps.run(c.y, c.y.dim(0), step);
  EXPECT_EQ(bodies, 4) << "once in vain, and once more";
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

// A replay is one launch: on a card nobody knows which of its kernels failed.
TEST(DeviceFailure, in_a_replay_names_no_kernel) {
  const Counter c;
  StepCapture steps(device);
  steps.enabled = true;
  for (int i = 0; i < 3; ++i) steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  kernels::emulated::fail_launch("add", 1, false);
  steps.run(c.y, c.y.dim(0), [&] { c.count(); });
  try {
    steps.run(c.y, c.y.dim(0), [&] { c.count(); });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const kernels::DeviceError& e) {
    EXPECT_EQ(std::string(e.what()).find("[add]"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("[replay"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace eb::test
