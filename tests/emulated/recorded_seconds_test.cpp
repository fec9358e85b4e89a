// The time of recorded work: nothing runs until it is replayed, and what it did is done.
#include "engine/ops/recorded_seconds.h"

#include <gtest/gtest.h>

#include "engine/tensor/tensor.h"
#include "kernels/capture.h"
#include "kernels/elementwise.h"
#include "kernels/memory.h"

namespace eb::test {
namespace {

using engine::DType;
using engine::recorded_seconds;
using engine::Tensor;
using kernels::Device;

constexpr Device device = Device::cuda;

// y += 1, through a temporary tensor.
struct Counter {
  Tensor y = Tensor::zeros({64}, DType::f32, device), one = Tensor::empty({64}, DType::f32, device);
  Counter() { kernels::elementwise(device).fill({DType::f32, 64}, 1.f, one.raw()); }
  void count() const {
    const Tensor sum = Tensor::empty({64}, DType::f32, device);
    kernels::elementwise(device).add({DType::f32, 64}, y.raw(), one.raw(), sum.raw());
    y.copy_from(sum);
  }
};

TEST(RecordedSeconds, work_is_recorded_once_and_replayed_twice) {
  const Counter counter;
  counter.count();
  int calls = 0;
  const double seconds = recorded_seconds(device, [&] {
    ++calls;
    counter.count();
    EXPECT_ANY_THROW(counter.y.item<float>()) << "it is being recorded";
  });
  EXPECT_GT(seconds, 0.);
  EXPECT_EQ(calls, 1);
  std::vector<float> y(64);
  kernels::memory(device).to_host(y.data(), counter.y.raw(), 64 * sizeof(float));
  EXPECT_EQ(y[0], 3.f);
}

TEST(RecordedSeconds, is_refused_inside_a_recording) {
  const kernels::Capture& capture = *kernels::capture(device);
  capture.begin();
  EXPECT_ANY_THROW(recorded_seconds(device, [] {}));
  capture.abandon();
}

TEST(RecordedSeconds, work_that_throws_leaves_nothing_open) {
  EXPECT_THROW(recorded_seconds(device, [] { throw std::runtime_error("no algorithm"); }),
               std::runtime_error);
  EXPECT_NO_THROW(kernels::memory(device).synchronize());
}

}  // namespace
}  // namespace eb::test
