// The emulated copy unit and warpgroup multiplies against plain loops. Where elements lie in shared memory is
// written out here once more, so that the twins and the test must agree.
#define EB_EMULATED 1
#include "kernels/cuda/gemm/hopper.cuh"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/memory.h"
#include "support/devices.h"

namespace eb::kernels::cuda {
namespace {

using test::OnDevice;
using Halves = std::vector<bf16>;

constexpr int row = 64;  // elements in a row of a tile

// Small integers: products and sums are exact.
Halves numbers(int64_t count) {
  Halves v(count);
  for (int64_t i = 0; i < count; ++i) v[i] = bf16(static_cast<float>(i * 29 % 31 - 15));
  return v;
}

// f under every schedule that places copies differently.
template <class F>
void every_schedule(F&& f) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const test::DeviceScope scope({Device::cuda, seed});
    f();
  }
}

template <int rows>
struct alignas(1024) OneTile {
  bf16 tile[rows * row];
  Mbarrier full;
};

// Element c of row r, where 128-byte swizzle puts it.
bf16 swizzled(const bf16* tile, int r, int c) {
  return tile[r * row + ((c / 8) ^ (r % 8)) * 8 + c % 8];
}

template <int rows, class Copy>
void copied_out(bf16* out, const Copy& copy) {
  auto& s = shared<OneTile<rows>>();
  if (threadIdx.x == 0) {
    barrier_init(s.full, 1);
    fence_barrier_init();
  }
  sync_threads();
  if (threadIdx.x == 0) {
    arrive_expecting(s.full, sizeof s.tile);
    copy(s.tile, s.full);
  }
  wait(s.full, 0);
  for (int i = threadIdx.x; i < rows * row; i += warp_size) out[i] = swizzled(s.tile, i / row, i % row);
}

void box_kernel(TensorMap map, bf16* out, int x, int y, int z) {
  copied_out<24>(out, [&](bf16* to, Mbarrier& full) { copy_box(to, map, full, x, y, z); });
}

TEST(Hopper, copy_box_fills_zeros_outside_the_tensor) {
  constexpr int extent[] = {72, 3, 10};  // box (64, 3, 8)
  const Halves in = numbers(extent[0] * extent[1] * extent[2]);
  const OnDevice there(Device::cuda, in);
  for (const auto& [x, y, z] : {std::tuple{0, 0, 0}, {64, 1, 5}, {8, -1, 8}, {-8, 2, -3}})
    every_schedule([&, x = x, y = y, z = z] {
      Halves out(24 * row);
      const OnDevice result(Device::cuda, out);
      const TensorMap map = tensor_map(BoxTensor{there.get(), {72, 3, 10}, {row, 3, 8}});
      launch({"box", 1, warp_size, sizeof(OneTile<24>)}, box_kernel, map, result.as<bf16>(), x, y, z);
      result.fetch(out);
      for (int r = 0; r < 24; ++r)
        for (int c = 0; c < row; ++c) {
          const int i = x + c, j = y + r % 3, k = z + r / 3;
          const bool inside = i >= 0 && i < 72 && j >= 0 && j < 3 && k >= 0 && k < 10;
          const float want = inside ? float(in[(k * 3 + j) * 72 + i]) : 0.f;
          ASSERT_EQ(float(out[r * row + c]), want) << r << " " << c;
        }
    });
}

void pixels_kernel(TensorMap map, bf16* out, PixelPosition at, int offset_h, int offset_w) {
  copied_out<40>(out, [&](bf16* to, Mbarrier& full) { copy_pixels(to, map, full, at, offset_h, offset_w); });
}

// The windows of a 3x3 convolution padded by 1 over (3, 4, 5, 72): 4 x 5 positions an image from (-1, -1).
TEST(Hopper, copy_pixels_walks_the_window_of_image_after_image) {
  constexpr int images = 3, height = 4, width = 5, channels = 72;
  const Halves in = numbers(images * height * width * channels);
  const OnDevice there(Device::cuda, in);
  for (const int first : {0, 7, 45})
    for (const auto& [r, q, c0] : {std::tuple{0, 0, 0}, {1, 2, 64}, {2, 1, 8}})
      every_schedule([&, r = r, q = q, c0 = c0] {
        Halves out(40 * row);
        const OnDevice result(Device::cuda, out);
        const TensorMap map = tensor_map(
            PixelTensor{there.get(), images, height, width, channels, {-1, -1}, {-1, -1}, row, 40});
        const PixelPosition at{c0, first % 5 - 1, first / 5 % 4 - 1, first / 20};
        launch({"pixels", 1, warp_size, sizeof(OneTile<40>)}, pixels_kernel, map, result.as<bf16>(), at, r,
               q);
        result.fetch(out);
        for (int i = 0; i < 40; ++i)
          for (int c = 0; c < row; ++c) {
            const int n = (first + i) / 20, h = (first + i) / 5 % 4 - 1 + r, w = (first + i) % 5 - 1 + q;
            const bool inside =
                n < images && h >= 0 && h < height && w >= 0 && w < width && c0 + c < channels;
            const float want = inside ? float(in[((n * height + h) * width + w) * channels + c0 + c]) : 0.f;
            ASSERT_EQ(float(out[i * row + c]), want) << i << " " << c;
          }
      });
}

template <int n>
struct alignas(1024) Operands {
  bf16 a[64 * row], b[n * row];
  Mbarrier full;
};

// d (64, n) = a (64, 64) b (64, n); a K-major is stored (m, k), MN-major (k, m), and b likewise.
template <int n, bool a_mn, bool b_mn>
void multiply_kernel(TensorMap a, TensorMap b, float* out) {
  auto& s = shared<Operands<n>>();
  if (threadIdx.x == 0) {
    barrier_init(s.full, 1);
    fence_barrier_init();
  }
  sync_threads();
  if (threadIdx.x == 0) {
    arrive_expecting(s.full, sizeof s.a + sizeof s.b);
    copy_box(s.a, a, s.full, 0, 0, 0);
    for (int i = 0; i < n; i += 64) copy_box(s.b + i * row, b, s.full, b_mn ? i : 0, 0, b_mn ? 0 : i);
  }
  wait(s.full, 0);
  float d[n / 2];
  for (float& v : d) v = 1.f;
  const uint64_t a_at = operand_descriptor(shared_address(s.a), 16);
  const uint64_t b_at = operand_descriptor(shared_address(s.b), 64 * row * sizeof(bf16));
  wgmma_fence();
  for (int k = 0; k < 4; ++k) wgmma<a_mn, b_mn>(d, a_at + k * next_k<a_mn>, b_at + k * next_k<b_mn>);
  wgmma_commit();
  wgmma_finish(d);
  const int t = threadIdx.x;
  for (int i = 0; i < n / 2; ++i) {
    const int m = t / 32 * 16 + i / 2 % 2 * 8 + t % 32 / 4, j = i / 4 * 8 + t % 4 * 2 + i % 2;
    out[m * n + j] = d[i];
  }
}

template <int n, bool a_mn, bool b_mn>
void expect_product() {
  const Halves a = numbers(64 * 64), b = numbers(64 * n);
  const OnDevice a_there(Device::cuda, a), b_there(Device::cuda, b);
  every_schedule([&] {
    std::vector<float> out(64 * n, NAN);
    const OnDevice result(Device::cuda, out);
    const BoxTensor a_box{a_there.get(), {64, 1, 64}, {row, 1, 64}};
    const BoxTensor b_box{b_there.get(), {b_mn ? n : 64, 1, b_mn ? 64 : n}, {row, 1, 64}};
    launch({"multiply", 1, warpgroup_size, sizeof(Operands<n>)}, multiply_kernel<n, a_mn, b_mn>,
           tensor_map(a_box), tensor_map(b_box), result.as<float>());
    result.fetch(out);
    for (int m = 0; m < 64; ++m)
      for (int j = 0; j < n; ++j) {
        float sum = 1.f;
        for (int k = 0; k < 64; ++k)
          sum += float(a[a_mn ? k * 64 + m : m * 64 + k]) * float(b[b_mn ? k * n + j : j * 64 + k]);
        ASSERT_EQ(out[m * n + j], sum) << m << " " << j;
      }
  });
}

TEST(Hopper, wgmma_multiplies_tiles_of_either_order) {
  expect_product<64, false, false>();
  expect_product<64, false, true>();
  expect_product<64, true, false>();
  expect_product<64, true, true>();
  expect_product<128, false, false>();
  expect_product<128, false, true>();
  expect_product<128, true, true>();
}

int8_t code(int64_t i) {
  return static_cast<int8_t>(i * 83 % 255 - 127);
}
std::vector<int8_t> codes(int64_t count) {
  std::vector<int8_t> v(count);
  for (int64_t i = 0; i < count; ++i) v[i] = code(i);
  return v;
}

template <int n>
struct alignas(1024) ByteOperands {
  int8_t a[64 * 128], b[n * 128];
  Mbarrier full;
};

// d (64, n) = a (64, 128) b (n, 128)^T on codes, from columns 16 on of tensors of 112: a tail of zeros.
template <int n>
void multiply_codes_kernel(TensorMap a, TensorMap b, int32_t* out) {
  auto& s = shared<ByteOperands<n>>();
  if (threadIdx.x == 0) {
    barrier_init(s.full, 1);
    fence_barrier_init();
  }
  sync_threads();
  if (threadIdx.x == 0) {
    arrive_expecting(s.full, sizeof s.a + sizeof s.b);
    copy_box(s.a, a, s.full, 16, 0, 0);
    copy_box(s.b, b, s.full, 16, 0, 0);
  }
  wait(s.full, 0);
  int32_t d[n / 2];
  for (int32_t& v : d) v = -5;
  const uint64_t a_at = operand_descriptor(shared_address(s.a), 16);
  const uint64_t b_at = operand_descriptor(shared_address(s.b), 16);
  wgmma_fence();
  for (int k = 0; k < 4; ++k) wgmma_s8(d, a_at + k * next_k<false>, b_at + k * next_k<false>);
  wgmma_commit();
  wgmma_finish(d);
  const int t = threadIdx.x;
  for (int i = 0; i < n / 2; ++i) {
    const int m = t / 32 * 16 + i / 2 % 2 * 8 + t % 32 / 4, j = i / 4 * 8 + t % 4 * 2 + i % 2;
    out[m * n + j] = d[i];
  }
}

template <int n>
void expect_product_of_codes() {
  const std::vector<int8_t> a = codes(64 * 112), b = codes(n * 112);
  const OnDevice a_there(Device::cuda, a), b_there(Device::cuda, b);
  every_schedule([&] {
    std::vector<int32_t> out(64 * n, 1 << 30);
    const OnDevice result(Device::cuda, out);
    launch({"multiply_codes", 1, warpgroup_size, sizeof(ByteOperands<n>)}, multiply_codes_kernel<n>,
           tensor_map(BoxTensor{a_there.get(), {112, 1, 64}, {128, 1, 64}, 1}),
           tensor_map(BoxTensor{b_there.get(), {112, 1, n}, {128, 1, n}, 1}), result.as<int32_t>());
    result.fetch(out);
    for (int m = 0; m < 64; ++m)
      for (int j = 0; j < n; ++j) {
        int32_t sum = -5;
        for (int k = 16; k < 112; ++k) sum += a[m * 112 + k] * b[j * 112 + k];
        ASSERT_EQ(out[m * n + j], sum) << m << " " << j;
      }
  });
}

TEST(Hopper, wgmma_multiplies_codes) {
  expect_product_of_codes<64>();
  expect_product_of_codes<128>();
}

// 144 channels: the second run of 128 is mostly outside.
void byte_pixels_kernel(TensorMap map, int8_t* out, int channel) {
  auto& s = shared<ByteOperands<64>>();
  if (threadIdx.x == 0) {
    barrier_init(s.full, 1);
    fence_barrier_init();
  }
  sync_threads();
  if (threadIdx.x == 0) {
    arrive_expecting(s.full, 40 * 128);
    copy_pixels(s.a, map, s.full, {channel, -1, -1, 0}, 2, 1);
  }
  wait(s.full, 0);
  for (int i = threadIdx.x; i < 40 * 128; i += warp_size) {
    const int r = i / 128, c = i % 128;
    out[i] = s.a[r * 128 + ((c / 16) ^ (r % 8)) * 16 + c % 16];
  }
}

TEST(Hopper, copy_pixels_moves_128_channels_of_bytes) {
  constexpr int images = 3, height = 4, width = 5, channels = 144;
  const std::vector<int8_t> in = codes(images * height * width * channels);
  const OnDevice there(Device::cuda, in);
  const TensorMap map =
      tensor_map(PixelTensor{there.get(), images, height, width, channels, {-1, -1}, {-1, -1}, 128, 40, 1});
  for (const int channel : {0, 128})
    every_schedule([&] {
      std::vector<int8_t> out(40 * 128);
      const OnDevice result(Device::cuda, out);
      launch({"byte_pixels", 1, warp_size, sizeof(ByteOperands<64>)}, byte_pixels_kernel, map,
             result.as<int8_t>(), channel);
      result.fetch(out);
      for (int i = 0; i < 40; ++i)
        for (int c = 0; c < 128; ++c) {
          const int n = i / 20, h = i / 5 % 4 + 1, w = i % 5, at = channel + c;
          const bool inside = h < height && at < channels;
          ASSERT_EQ(out[i * 128 + c], inside ? in[((n * height + h) * width + w) * channels + at] : 0)
              << i << " " << c;
        }
    });
}

TEST(Hopper, tensor_maps_have_the_drivers_limits) {
  alignas(16) static bf16 data[64];
  const BoxTensor box{data, {64, 1, 1}, {row, 1, 1}};
  const PixelTensor pixels{data, 1, 1, 1, 64, {0, 0}, {0, 0}, row, 1};
  EXPECT_NO_THROW(tensor_map(box));
  EXPECT_NO_THROW(tensor_map(pixels));
  const auto refused = [](auto tensor, auto change) {
    change(tensor);
    EXPECT_THROW(tensor_map(tensor), EmulationError);
  };
  refused(box, [](BoxTensor& t) { t.data = data + 1; });
  refused(box, [](BoxTensor& t) { t.extent[0] = 60; });
  refused(box, [](BoxTensor& t) { t.box[2] = 257; });
  refused(box, [](BoxTensor& t) { t.element_bytes = 1; });
  refused(pixels, [](PixelTensor& t) { t.c = 60; });
  refused(pixels, [](PixelTensor& t) { t.channels = 128, t.element_bytes = 1, t.c = 24; });
  refused(pixels, [](PixelTensor& t) { t.lower[0] = -129; });
  refused(pixels, [](PixelTensor& t) { t.upper[1] = -1; });
  refused(pixels, [](PixelTensor& t) { t.pixels = 1025; });
}

}  // namespace
}  // namespace eb::kernels::cuda
