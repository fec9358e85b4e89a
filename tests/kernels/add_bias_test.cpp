// The bias that our kernel adds to what a vendor's stored.
#include "kernels/cuda/add_bias.h"

#include "kernels/built.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using kernels::DType;

class AddBias : public testing::TestWithParam<std::tuple<DType, int64_t>> {};

TEST_P(AddBias, is_added_once_and_rounded_once) {
  if constexpr (kernels::built::cuda) {
    if (test_device().device != kernels::Device::cuda) GTEST_SKIP() << "a kernel of the device";
    const auto [dtype, columns] = GetParam();
    for (const int64_t rows : {1, 3, 257}) {
      Values y(dtype, normal(rows * columns, 1));
      const Floats b = to_floats(normal(columns, 2));
      Doubles want = y.get();
      for (size_t i = 0; i < want.size(); ++i)
        want[i] = static_cast<float>(want[i]) + b[i % static_cast<size_t>(columns)];
      const Values rounded(dtype, want);
      {
        Staged on;
        kernels::cuda::add_bias(dtype, rows, columns, on(b), on(y));
      }
      EXPECT_TRUE(y == rounded) << rows;
    }
  } else {
    GTEST_SKIP() << "a build without CUDA";
  }
}

INSTANTIATE_TEST_SUITE_P(All, AddBias,
                         testing::Combine(testing::Values(DType::f32, DType::bf16),
                                          testing::Values(1, 3, 4, 12, 64, 101)),
                         [](const auto& info) {
                           return std::string(name_of(std::get<0>(info.param))) + "_" +
                                  std::to_string(std::get<1>(info.param)) + "_columns";
                         });

}  // namespace
}  // namespace eb::test
