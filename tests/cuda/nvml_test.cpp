// Energy of a card, by an NVML that the test scripts.
#include "kernels/cuda/library/nvml.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "cuda/fakes/nvml.h"
#include "engine/run/energy.h"
#include "kernels/card_energy.h"
#include "support/paths.h"

namespace eb::test {
namespace {

using engine::EnergyMeter;
using kernels::LibraryError;
using kernels::cuda::Nvml;
using kernels::cuda::SharedLibrary;

class NvmlTest : public testing::Test {
 protected:
  NvmlTest() { fake = {}; }
  const std::vector<std::string> names = {(binary_dir() / "fakes/libnvidia-ml.so.1").string()};
  FakeNvml& fake = *SharedLibrary("NVML", names, "").function<FakeNvml* (*)()>("fake_nvml")();
};

TEST_F(NvmlTest, joules_of_the_card_at_an_address) {
  const Nvml nvml(names, fake.card);
  EXPECT_EQ(fake.inits, 1);
  fake.millijoules = 12'345'678'901'234;
  EXPECT_DOUBLE_EQ(nvml.joules().value(), 12'345'678'901.234);
  EXPECT_THROW(Nvml(names, "0000:5E:00.0"), LibraryError);
}

TEST_F(NvmlTest, what_is_not_counted_is_no_number) {
  const Nvml nvml(names, fake.card);
  fake.energy_status = 3;
  EXPECT_EQ(nvml.joules(), std::nullopt);
  fake.init_status = 9;
  EXPECT_THROW(Nvml(names, fake.card), LibraryError);
  EXPECT_THROW(Nvml({"libthere_is_none.so.1"}, fake.card), LibraryError);
}

// A metric ends no training. Without a card or its driver the question for its address fails.
TEST(CardJoules, a_card_without_an_address_is_no_number) {
  std::optional<double> joules;
  EXPECT_NO_THROW(joules = kernels::cuda::card_joules());
  int cards = 0;
  const bool none = cudaGetDeviceCount(&cards) != cudaSuccess || cards == 0;
  EXPECT_FALSE(none && joules);
}

TEST_F(NvmlTest, a_meter_counts_what_the_card_used_between_laps) {
  const Nvml nvml(names, fake.card);
  fake.millijoules = 1'000'000;
  EnergyMeter meter("", [&] { return nvml.joules(); });
  EXPECT_EQ(meter.method(), "nvml");
  EXPECT_EQ(meter.lap(), 0.0);
  fake.millijoules = 1'250'500;
  EXPECT_DOUBLE_EQ(meter.lap().value(), 250.5);
  EXPECT_EQ(meter.lap(), 0.0);
}

}  // namespace
}  // namespace eb::test
