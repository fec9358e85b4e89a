#include "kernels/cuda/gemm/hopper.cuh"

#include <stdexcept>

namespace eb::kernels::cuda {

namespace {

constexpr int row_bytes = 128, piece_bytes = 16;  // of a tile; what swizzling moves

// The limits of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col (cuda.h, 13.0) with 128-byte swizzle.
void demand(bool fine, const char* what) {
  if (!fine) throw EmulationError(std::string("[tensor map] ") + what);
}
void demand_data(const void* data, int64_t innermost, int element_bytes) {
  demand(element_bytes == 1 || element_bytes == 2, "elements are not of 1 or 2 bytes");
  demand(reinterpret_cast<uintptr_t>(data) % 16 == 0, "data is not a multiple of 16 bytes");
  demand(innermost > 0 && innermost * element_bytes % 16 == 0, "a stride is not a multiple of 16 bytes");
}

bool inside(int64_t i, int64_t extent) {
  return i >= 0 && i < extent;
}

// Row `row` of the tile at `to`, bytes x to x + 127 of `line`; those outside [0, extent) are zero, all of
// them without a line.
void copy_row(char* to, uint32_t tile, int row, const char* line, int64_t x, int64_t extent) {
  for (int i = 0; i < row_bytes; i += piece_bytes) {
    const uint32_t at = tile + row * row_bytes + i, swizzled = at ^ (at >> 3 & 0x70);
    char* target = to + (int64_t{swizzled} - tile);
    if (line && inside(x + i, extent))
      std::memcpy(target, line + x + i, piece_bytes);
    else
      std::memset(target, 0, piece_bytes);
  }
}

void check_copy(const void* to, int rows, int64_t x, Where where) {
  constexpr const char* operation = "bulk copy";
  if (x % piece_bytes)
    block().fail("starts off a multiple of 16 bytes, which is not emulated", operation, where);
  if (!block().owns_shared(to, size_t{row_bytes} * rows) || reinterpret_cast<uintptr_t>(to) % 1024)
    block().fail("writes outside shared memory or off a multiple of 1024 bytes", operation, where);
}

}  // namespace

TensorMap tensor_map(const BoxTensor& t) {
  demand_data(t.data, t.extent[0], t.element_bytes);
  demand(t.extent[1] > 0 && t.extent[2] > 0, "an extent is not positive");
  demand(t.box[0] * t.element_bytes == row_bytes, "the box is not 128 bytes wide");
  for (int i = 0; i < 3; ++i) demand(t.box[i] > 0 && t.box[i] <= 256, "the box is not 1 to 256");
  return {.boxes = t, .pixels = {}};
}

TensorMap tensor_map(const PixelTensor& t) {
  demand_data(t.data, t.c, t.element_bytes);
  demand(t.n > 0 && t.h > 0 && t.w > 0, "an extent is not positive");
  demand(t.channels * t.element_bytes == row_bytes, "not 128 bytes a pixel");
  demand(t.pixels > 0 && t.pixels <= 1024, "pixels are not 1 to 1024");
  for (const int i : {t.lower[0], t.lower[1], t.upper[0], t.upper[1]})
    demand(i >= -128 && i <= 127, "a corner is not -128 to 127");
  for (const int i : {t.stride[0], t.stride[1]}) demand(i >= 1 && i <= 8, "a stride is not 1 to 8");
  demand(t.h + t.upper[0] > t.lower[0] && t.w + t.upper[1] > t.lower[1], "the window is empty");
  return {.boxes = {}, .pixels = t};
}

void copy_box(void* to, const TensorMap& map, Mbarrier& b, int x, int y, int z, Where where) {
  const BoxTensor t = map.boxes;
  const int rows = t.box[1] * t.box[2];
  if (!t.data) block().fail("reads a map of another kind", "bulk copy", where);
  const int64_t begin = int64_t{x} * t.element_bytes, width = t.extent[0] * t.element_bytes;
  check_copy(to, rows, begin, where);
  const uint32_t tile = shared_address(to);
  const auto copy = [=] {
    for (int row = 0; row < rows; ++row) {
      const int64_t j = y + row % t.box[1], k = z + row / t.box[1];
      const bool there = inside(j, t.extent[1]) && inside(k, t.extent[2]);
      const int64_t line = (k * t.extent[1] + j) * width;
      copy_row(static_cast<char*>(to), tile, row, there ? static_cast<const char*>(t.data) + line : nullptr,
               begin, width);
    }
  };
  block().transfers().start(&b.state, int64_t{row_bytes} * rows, copy, where);
}

void copy_pixels(void* to, const TensorMap& map, Mbarrier& b, const PixelPosition& at, int offset_h,
                 int offset_w, Where where) {
  const PixelTensor t = map.pixels;
  if (!t.data) block().fail("reads a map of another kind", "bulk copy", where);
  const int64_t begin = int64_t{at.c} * t.element_bytes, width = t.c * t.element_bytes;
  check_copy(to, t.pixels, begin, where);
  const int64_t end_h = t.h + t.upper[0], end_w = t.w + t.upper[1];
  if (!inside(at.h - t.lower[0], end_h - t.lower[0]) || !inside(at.w - t.lower[1], end_w - t.lower[1]))
    block().fail("starts outside the map's window", "bulk copy", where);
  if ((at.h - t.lower[0]) % t.stride[0] || (at.w - t.lower[1]) % t.stride[1])
    block().fail("starts between the map's positions", "bulk copy", where);
  if (!inside(offset_h, 256) || !inside(offset_w, 256))
    block().fail("moves pixels by more than 255", "bulk copy", where);
  const uint32_t tile = shared_address(to);
  const auto copy = [=] {
    int64_t n = at.n, i = at.h, j = at.w;
    for (int row = 0; row < t.pixels; ++row) {
      const int64_t h = i + offset_h, w = j + offset_w;
      const bool there = inside(n, t.n) && inside(h, t.h) && inside(w, t.w);
      const int64_t pixel = ((n * t.h + h) * t.w + w) * width;
      copy_row(static_cast<char*>(to), tile, row, there ? static_cast<const char*>(t.data) + pixel : nullptr,
               begin, width);
      if ((j += t.stride[1]) >= end_w) {
        j = t.lower[1];
        if ((i += t.stride[0]) >= end_h) {
          i = t.lower[0];
          ++n;
        }
      }
    }
  };
  block().transfers().start(&b.state, int64_t{row_bytes} * t.pixels, copy, where);
}

void detail::wgmma(const Wgmma& what, uint32_t* d, Where where) {
  block().collective(
      "wgmma", full_warp_mask, *d,
      [&](uint32_t** lanes) {
        WarpMultiply::Registers registers;
        std::copy(lanes, lanes + 32, registers.begin());
        block().warp_multiply().issue(what, registers, where);
      },
      where);
}

}  // namespace eb::kernels::cuda
