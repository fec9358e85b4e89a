// Copies beside the kernels: each order of the two queues that a card may choose, and what a missing wait
// does there.
#include "kernels/side_copies.h"

#include <gtest/gtest.h>

#include "engine/tensor/tensor.h"
#include "kernels/capture.h"
#include "kernels/elementwise.h"
#include "kernels/emulated/schedule.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using engine::DType;
using engine::Tensor;
using kernels::Device;

constexpr Device device = Device::cuda;
constexpr int64_t n = 64;
const kernels::SideCopies& copies = kernels::side_copies(device);

// Copies go as late as the kernels need them, as early as the kernels let them, or at random.
constexpr uint64_t late = 0, early = 1;

class SideCopies : public testing::Test {
 protected:
  ~SideCopies() override { kernels::emulated::set_schedule(test_device().own_schedule()); }
  static void under(uint64_t schedule) { kernels::emulated::set_schedule(schedule); }

  void send(float value) const {
    const std::vector<float> host(n, value);  // gone before the copy is made
    copies.send(buffer_.raw(), host.data(), n * sizeof(float));
  }
  // A kernel's read of the buffer, seen later.
  Tensor read() const {
    Tensor seen = Tensor::empty({n}, DType::f32, device);
    kernels::elementwise(device).add({DType::f32, n}, buffer_.raw(), zero_.raw(), seen.raw());
    return seen;
  }
  static float value(const Tensor& t) { return t.to(Device::cpu).data<float>()[n - 1]; }

  Tensor buffer_ = Tensor::zeros({n}, DType::f32, device), zero_ = Tensor::zeros({n}, DType::f32, device);
};

TEST_F(SideCopies, arrive_and_release_order_the_queues_under_every_schedule) {
  for (uint64_t schedule = 0; schedule < 12; ++schedule) {
    under(schedule);
    std::vector<Tensor> seen;
    for (int i = 1; i <= 20; ++i) {
      send(static_cast<float>(i));
      copies.arrive();
      seen.push_back(read());
      copies.release();
    }
    for (int i = 1; i <= 20; ++i) EXPECT_EQ(value(seen[i - 1]), i) << "schedule " << schedule;
  }
}

TEST_F(SideCopies, a_copy_that_is_not_waited_for_comes_too_late) {
  under(late);
  send(1);
  const Tensor seen = read();
  EXPECT_EQ(value(seen), 0);
}

TEST_F(SideCopies, a_copy_that_does_not_wait_comes_too_early) {
  under(early);
  send(1);
  copies.arrive();
  const Tensor seen = read();
  send(2);
  EXPECT_EQ(value(seen), 2);
}

// What makes it worth while: the copy is free to be made before kernels that were asked for earlier.
TEST_F(SideCopies, are_made_beside_kernels_behind_the_release) {
  under(early);
  send(1);
  copies.arrive();
  const Tensor before = read();
  copies.release();
  const Tensor step = read();  // which may not look, but shows that it is still to come
  send(2);
  EXPECT_EQ(value(before), 1);
  EXPECT_EQ(value(step), 2);
}

TEST_F(SideCopies, ordered_copies_and_replays_keep_their_place) {
  const kernels::Capture& capture = *kernels::capture(device);
  const Tensor out = Tensor::zeros({n}, DType::f32, device);
  capture.begin();
  out.copy_from(buffer_);
  void* recording = capture.end();
  for (const uint64_t schedule : {late, early}) {
    under(schedule);
    send(3);
    copies.arrive();
    capture.replay(recording);
    const std::vector<float> host(n, 4);
    kernels::memory(device).to_device(buffer_.raw(), host.data(), n * sizeof(float));
    EXPECT_EQ(value(out), 3);
    EXPECT_EQ(value(buffer_), 4);
  }
  capture.destroy(recording);
}

}  // namespace
}  // namespace eb::test
