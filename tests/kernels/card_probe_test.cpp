// What the kernels and the emulated device assume of a card, asked of the card: where one of these fails,
// numbers and speeds elsewhere are explained by it.
#include <algorithm>

#include "kernels/cuda/gemm/probes.h"
#include "kernels/device_info.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using kernels::Device;

// The rounding that kernels/emulated/tensor_core.cpp has, and that the sums of f32 convolutions are built
// around.
TEST(CardProbe, tensor_cores_round_toward_zero) {
  if (test_device().device != Device::cuda) GTEST_SKIP() << "for cards and the emulated device";
  if constexpr (kernels::built::cuda) {
    std::vector<float> out{0};
    const OnDevice there(Device::cuda, out);
    kernels::cuda::probe_rounding(there.as<float>());
    there.fetch(out);
    EXPECT_EQ(out[0], 1.f);
  }
}

// Two blocks of nine warps on a processor, as the tiles of wgmma but the largest are built: the second finds
// room only if the card starts it on another register file than the first.
TEST(CardProbe, two_blocks_of_nine_warps_share_a_processor) {
  if (test_device().device != Device::cuda || test_device().emulated()) GTEST_SKIP() << "for cards";
  if (kernels::cuda_info().sm != 90) GTEST_SKIP() << "for compute capability 9.0";
  if constexpr (kernels::built::cuda) {
    std::vector<uint32_t> most(kernels::cuda::probed_processors);
    const OnDevice now(Device::cuda, most), there(Device::cuda, most);
    kernels::cuda::probe_resident_blocks(kernels::cuda_info().processors, now.as<uint32_t>(),
                                         there.as<uint32_t>());
    there.fetch(most);
    EXPECT_EQ(*std::max_element(most.begin(), most.end()), 2u);
  }
}

}  // namespace
}  // namespace eb::test
