#include "kernels/cuda/hopper.cuh"

#include <stdexcept>

namespace eb::kernels::emulated {

namespace {

constexpr int element_bytes = 2, row_bytes = 128, row_elements = row_bytes / element_bytes;
constexpr int piece = 8;  // elements in the 16 bytes that swizzling moves

// The limits of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col (cuda.h, 13.0) for bf16 with 128-byte
// swizzle.
void demand(bool fine, const char* what) {
  if (!fine) throw EmulationError(std::string("[tensor map] ") + what);
}
void demand_data(const void* data, int64_t innermost) {
  demand(reinterpret_cast<uintptr_t>(data) % 16 == 0, "data is not a multiple of 16 bytes");
  demand(innermost > 0 && innermost * element_bytes % 16 == 0, "a stride is not a multiple of 16 bytes");
}

bool inside(int64_t i, int64_t extent) {
  return i >= 0 && i < extent;
}

// Row `row` of the tile at `to`, elements x to x + 63 of `line`; those outside [0, extent) are zero, all of
// them without a line.
void copy_row(char* to, uint32_t tile, int row, const char* line, int64_t x, int64_t extent) {
  for (int e = 0; e < row_elements; e += piece) {
    const uint32_t at = tile + row * row_bytes + e * element_bytes, swizzled = at ^ (at >> 3 & 0x70);
    char* target = to + (int64_t{swizzled} - tile);
    if (line && inside(x + e, extent))
      std::memcpy(target, line + (x + e) * element_bytes, 16);
    else
      std::memset(target, 0, 16);
  }
}

void check_copy(const void* to, int rows, int x, Where where) {
  constexpr const char* operation = "bulk copy";
  if (x % piece) block().fail("starts off a multiple of 8 elements, which is not emulated", operation, where);
  if (!block().owns_shared(to, size_t{row_bytes} * rows) || reinterpret_cast<uintptr_t>(to) % 1024)
    block().fail("writes outside shared memory or off a multiple of 1024 bytes", operation, where);
}

}  // namespace

TensorMap tensor_map(const BoxTensor& t) {
  demand_data(t.data, t.extent[0]);
  demand(t.extent[1] > 0 && t.extent[2] > 0, "an extent is not positive");
  demand(t.box[0] == row_elements, "the box is not 64 elements wide");
  for (int i = 0; i < 3; ++i) demand(t.box[i] > 0 && t.box[i] <= 256, "the box is not 1 to 256");
  return {.boxes = t, .pixels = {}};
}

TensorMap tensor_map(const PixelTensor& t) {
  demand_data(t.data, t.c);
  demand(t.n > 0 && t.h > 0 && t.w > 0, "an extent is not positive");
  demand(t.channels == row_elements, "not 64 channels a pixel");
  demand(t.pixels > 0 && t.pixels <= 1024, "pixels are not 1 to 1024");
  for (const int i : {t.lower[0], t.lower[1], t.upper[0], t.upper[1]})
    demand(i >= -128 && i <= 127, "a corner is not -128 to 127");
  demand(t.h + t.upper[0] > t.lower[0] && t.w + t.upper[1] > t.lower[1], "the window is empty");
  return {.boxes = {}, .pixels = t};
}

bool has_wgmma() {
  return wgmma_in_tests;
}

void copy_box(void* to, const TensorMap& map, Mbarrier& b, int x, int y, int z, Where where) {
  const BoxTensor t = map.boxes;
  const int rows = t.box[1] * t.box[2];
  if (!t.data) block().fail("reads a map of another kind", "bulk copy", where);
  check_copy(to, rows, x, where);
  const uint32_t tile = shared_address(to);
  const auto copy = [=] {
    for (int row = 0; row < rows; ++row) {
      const int64_t j = y + row % t.box[1], k = z + row / t.box[1];
      const bool there = inside(j, t.extent[1]) && inside(k, t.extent[2]);
      const int64_t line = (k * t.extent[1] + j) * t.extent[0] * element_bytes;
      copy_row(static_cast<char*>(to), tile, row, there ? static_cast<const char*>(t.data) + line : nullptr,
               x, t.extent[0]);
    }
  };
  block().transfers().start(&b.state, int64_t{row_bytes} * rows, copy, where);
}

void copy_pixels(void* to, const TensorMap& map, Mbarrier& b, const PixelPosition& at, int offset_h,
                 int offset_w, Where where) {
  const PixelTensor t = map.pixels;
  if (!t.data) block().fail("reads a map of another kind", "bulk copy", where);
  check_copy(to, t.pixels, at.c, where);
  const int64_t end_h = t.h + t.upper[0], end_w = t.w + t.upper[1];
  if (!inside(at.h - t.lower[0], end_h - t.lower[0]) || !inside(at.w - t.lower[1], end_w - t.lower[1]))
    block().fail("starts outside the map's window", "bulk copy", where);
  if (!inside(offset_h, 256) || !inside(offset_w, 256))
    block().fail("moves pixels by more than 255", "bulk copy", where);
  const uint32_t tile = shared_address(to);
  const auto copy = [=] {
    int64_t n = at.n, i = at.h, j = at.w;
    for (int row = 0; row < t.pixels; ++row) {
      const int64_t h = i + offset_h, w = j + offset_w;
      const bool there = inside(n, t.n) && inside(h, t.h) && inside(w, t.w);
      const int64_t pixel = ((n * t.h + h) * t.w + w) * t.c * element_bytes;
      copy_row(static_cast<char*>(to), tile, row, there ? static_cast<const char*>(t.data) + pixel : nullptr,
               at.c, t.c);
      if (++j == end_w) {
        j = t.lower[1];
        if (++i == end_h) {
          i = t.lower[0];
          ++n;
        }
      }
    }
  };
  block().transfers().start(&b.state, int64_t{row_bytes} * t.pixels, copy, where);
}

void detail::wgmma(const Wgmma& what, float* d, Where where) {
  block().collective(
      "wgmma", full_warp_mask, *d,
      [&](float** lanes) {
        WarpMultiply::Registers registers;
        std::copy(lanes, lanes + 32, registers.begin());
        block().warp_multiply().issue(what, registers, where);
      },
      where);
}

}  // namespace eb::kernels::emulated
