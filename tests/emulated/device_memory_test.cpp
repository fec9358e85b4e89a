// The caching allocator of a device that runs full, and the guard that keeps the host out of device memory.
#include <gtest/gtest.h>

#include <cstring>

#include "engine/base/error.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/tensor.h"
#include "kernels/emulated/strict_memory.h"
#include "pruning/compact.h"
#include "support/error_code.h"
#include "support/pruning_models.h"

namespace eb::test {
namespace {

using engine::allocate;
using kernels::Device;
using kernels::emulated::set_memory_limit;
using kernels::emulated::set_strict_memory;

constexpr size_t kib = 1024;

struct Limit {
  explicit Limit(size_t bytes) {
    engine::trim_allocator(Device::cuda);
    set_memory_limit(bytes);
  }
  ~Limit() { set_memory_limit(0); }
};

TEST(DeviceMemory, a_block_that_was_given_back_is_handed_out_again) {
  const auto before = engine::allocator_stats(Device::cuda).system_allocations;
  void* first = allocate(100 * kib, Device::cuda).get();
  void* second = allocate(99 * kib, Device::cuda).get();
  EXPECT_EQ(first, second);
  EXPECT_EQ(engine::allocator_stats(Device::cuda).system_allocations, before + 1);
}

TEST(DeviceMemory, cached_blocks_make_room_before_the_device_is_full) {
  const Limit limit(1024 * kib);
  allocate(700 * kib, Device::cuda);  // goes to the cache at once
  EXPECT_GT(engine::allocator_stats(Device::cuda).cached, 0u);
  EXPECT_NE(allocate(900 * kib, Device::cuda), nullptr);
}

TEST(DeviceMemory, a_full_device_is_an_error_that_says_how_much) {
  const Limit limit(1024 * kib);
  const auto held = allocate(700 * kib, Device::cuda);
  EXPECT_EQ(code_of([] { allocate(700 * kib, Device::cuda); }), 6002);
  try {
    engine::Tensor::empty({1000, 1000}, engine::DType::f32, Device::cuda);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_NE(what.find("out of memory on cuda"), std::string::npos) << what;
    EXPECT_NE(what.find("4.0 MiB wanted"), std::string::npos) << what;
  }
  EXPECT_NE(allocate(100 * kib, Device::cuda), nullptr) << "smaller blocks still fit";
}

// The change of phase: the dense network is still there when the small one is made.
TEST(DeviceMemory, compaction_without_room_says_so_and_can_be_done_later) {
  engine::Model dense(tiny_graph(), kernels::DType::f32, Device::cuda);
  engine::initialize(dense, {}, 1);
  const auto closed = pruning::close_ticket(pruning::draw_ticket(dense, {0.5}), dense, {});
  const auto compacted = [&] { return pruning::compact(dense, closed, pruning::MomentumRule::carry); };
  {
    const Limit limit(4 * kib);
    EXPECT_EQ(code_of(compacted), 6002);
  }
  EXPECT_LT(compacted().parameter_count(), dense.parameter_count());
}

TEST(DeviceMemoryDeathTest, the_host_cannot_touch_it_in_strict_mode) {
  set_strict_memory(true);
  const auto t = engine::Tensor::zeros({16}, engine::DType::f32, Device::cuda);
  EXPECT_EQ(t.item<float>(), 0.f);
  EXPECT_DEATH(std::memset(t.raw(), 1, 4), "");
  set_strict_memory(false);
}

}  // namespace
}  // namespace eb::test
