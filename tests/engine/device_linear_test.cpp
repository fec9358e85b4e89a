// "deterministic" asks for the same bits every time, not for other arithmetic.
#include <gtest/gtest.h>

#include "engine/ops/linear.h"
#include "engine/tensor/autograd.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using namespace engine;

// Values that tf32 would round.
Tensor ascending(Shape shape, float step) {
  Tensor t = Tensor::empty(std::move(shape));
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = 1.f + step * static_cast<float>(i);
  return t.to(test_device().device);
}

TEST(DeviceLinear, deterministic_changes_no_bit) {
  const DeviceScope scope(test_device());
  const NoGrad no_grad;
  const Tensor x = ascending({3, 1, 1, 24}, 1e-5f), w = ascending({5, 1, 1, 24}, 3e-5f);
  const Tensor plain = linear(x, w, {}, false).to(Device::cpu), same = linear(x, w, {}, true).to(Device::cpu);
  EXPECT_EQ(std::memcmp(plain.raw(), same.raw(), plain.bytes()), 0);
}

}  // namespace
}  // namespace eb::test
