// Rounding all tensors of an arena in two launches for every 64 of them: the largest magnitudes of the slices
// of large blocks, then everything. A thread rounds a block of a few elements, a warp one that a block of
// threads would be idle for; both read it a second time from the cache.
#include "kernels/round_blocks.h"

#include <vector>

#include "kernels/cuda/quantize.cuh"
#include "kernels/cuda/segment_table.cuh"

namespace eb::kernels::cuda {

namespace {

using Params = RoundBlocks::Params;

constexpr int threads = round_threads, warps = threads / warp_size;
constexpr int64_t most_of_thread = 8, most_of_warp = 4096;  // elements of a block; to be measured
constexpr int wide = 8;                                     // elements of one access where they are aligned
constexpr int most_segments = 64;                           // kernel parameters may take 4 KiB

struct Table {
  RoundBlocks::Segment segments[most_segments];
  int64_t first_block[most_segments];    // of threads
  int64_t first_partial[most_segments];  // of a segment of large blocks
  int32_t index[most_segments];          // among all segments
  int count;
};

struct Arrays {
  const int32_t* allow;
  const uint32_t* step;
  const float* x;
  float* y;
  int8_t* codes;
  int16_t* exponents;
  Quantize::Counts* counts;
  bool aligned;  // all to 16 bytes, where they are

  __device__ bool forbidden() const { return allow && *allow == 0; }
  __device__ bool is_wide(const RoundBlocks::Segment& s) const {
    return aligned && s.offset % wide == 0 && s.block % wide == 0;
  }
};

// The blocks of threads that a segment takes.
int64_t blocks_of(const RoundBlocks::Segment& s) {
  if (s.block <= most_of_thread) return ceil_div(s.blocks, threads);
  if (s.block <= most_of_warp) return ceil_div(s.blocks, warps);
  return s.blocks * cut_block(s.block).slices;
}

// A table of segments of large blocks alone.
__global__ void largest_kernel(Table table, Arrays a, uint32_t* partial) {
  if (a.forbidden()) return;
  const int n = segment_of_block(table);
  const RoundBlocks::Segment& s = table.segments[n];
  const Cut c = cut_block(s.block);
  const int64_t local = blockIdx.x - table.first_block[n];
  const Slice slice(s.block, c, local / c.slices, local % c.slices);
  const float* x = a.x + s.offset;
  const uint32_t most = block_largest(
      a.is_wide(s) ? largest_of<wide>(x, slice.first + int64_t{threadIdx.x} * wide, slice.end, threads * wide)
                   : largest_of<1>(x, slice.first + threadIdx.x, slice.end, threads));
  if (threadIdx.x == 0) partial[table.first_partial[n] + local] = most;
}

template <bool stochastic, bool counted>
struct Rounder {
  const Params& p;
  const Arrays& a;
  const RoundBlocks::Segment& s;
  Tally tally;

  // Elements begin, begin + stride, ... below end of the segment, N at a time.
  template <int N>
  __device__ void round(const BlockFormat& f, int64_t begin, int64_t end, int64_t stride) {
    const float scale = float_of(block_scale(f.exponent, p.bits));
    for (int64_t i = begin; i < end; i += stride) {
      Run<float, N> v;
      v.load(a.x + s.offset + i);
      int32_t code[N];
      codes_of<stochastic, counted>(f, i, v, code, tally);
      if (a.codes) store_codes(a.codes + s.offset + i, code);
      float y[N];
#pragma unroll
      for (int j = 0; j < N; ++j) y[j] = static_cast<float>(code[j]) * scale;
      if (a.y) store_floats(a.y + s.offset + i, y);
    }
  }

  // Writes the exponent of block b, if this thread is the one to do it.
  __device__ BlockFormat format_of(int64_t b, uint32_t largest, bool writes) {
    const int16_t exponent = block_exponent(largest);
    if (writes) a.exponents[s.first_block + b] = exponent;
    return {p.bits, exponent, p.seed, a.step ? *a.step : 0, s.tensor};
  }

  __device__ void by_thread(int64_t b) {
    if (b >= s.blocks) return;
    const int64_t first = b * s.block, end = first + s.block;
    round<1>(format_of(b, largest_of<1>(a.x + s.offset, first, end, 1), true), first, end, 1);
  }

  template <int N>
  __device__ void by_warp(int64_t b) {
    if (b >= s.blocks) return;  // the whole warp
    const int64_t lane = threadIdx.x % warp_size, first = b * s.block + lane * N, end = (b + 1) * s.block;
    const uint32_t largest = warp_largest(largest_of<N>(a.x + s.offset, first, end, warp_size * N));
    round<N>(format_of(b, largest, lane == 0), first, end, warp_size * N);
  }

  // partial (slices of the segment)
  __device__ void by_slice(int64_t local, const uint32_t* partial) {
    const Cut c = cut_block(s.block);
    const int64_t b = local / c.slices;
    uint32_t most = 0;
    for (int64_t i = threadIdx.x; i < c.slices; i += threads) most = larger(most, partial[b * c.slices + i]);
    const BlockFormat f = format_of(b, block_largest(most), threadIdx.x == 0 && local % c.slices == 0);
    const Slice slice(s.block, c, b, local % c.slices);
    if (a.is_wide(s))
      round<wide>(f, slice.first + int64_t{threadIdx.x} * wide, slice.end, threads * wide);
    else
      round<1>(f, slice.first + threadIdx.x, slice.end, threads);
  }
};

template <bool stochastic, bool counted>
__global__ void round_kernel(Params p, Table table, Arrays a, const uint32_t* partial) {
  if (a.forbidden()) return;
  const int n = segment_of_block(table);
  const RoundBlocks::Segment& s = table.segments[n];
  Rounder<stochastic, counted> rounder{p, a, s, {}};
  const int64_t local = blockIdx.x - table.first_block[n];
  const int64_t of_warp = local * warps + threadIdx.x / warp_size;
  if (s.block <= most_of_thread)
    rounder.by_thread(local * threads + threadIdx.x);
  else if (s.block > most_of_warp)
    rounder.by_slice(local, partial + table.first_partial[n]);
  else if (a.is_wide(s))
    rounder.template by_warp<wide>(of_warp);
  else
    rounder.template by_warp<1>(of_warp);
  if constexpr (counted) rounder.tally.add_to(a.counts + table.index[n]);
}

struct Segments {
  const RoundBlocks::Segment* segments;
  int64_t count;
  std::vector<int64_t> first_partial;  // of each; one element more: how many there are

  Segments(const RoundBlocks::Segment* given, int64_t n) : segments(given), count(n), first_partial(n + 1) {
    for (int64_t i = 0; i < n; ++i)
      first_partial[i + 1] = first_partial[i] + (is_large(given[i]) ? blocks_of(given[i]) : 0);
  }
  static bool is_large(const RoundBlocks::Segment& s) { return s.block > most_of_warp; }

  // launch_over(table, blocks) for tables that hold all segments, or all of large blocks.
  void for_each_table(bool large_alone, auto&& launch_over) const {
    for (int64_t done = 0; done < count;) {
      Table table{};
      int64_t blocks = 0;
      for (; done < count && table.count < most_segments; ++done) {
        const RoundBlocks::Segment& s = segments[done];
        if (s.blocks * s.block == 0 || (large_alone && !is_large(s))) continue;
        table.segments[table.count] = s;
        table.index[table.count] = static_cast<int32_t>(done);
        table.first_partial[table.count] = first_partial[done];
        table.first_block[table.count++] = blocks;
        blocks += blocks_of(s);
      }
      if (blocks > 0) launch_over(table, static_cast<unsigned>(blocks));
    }
  }
};

void launch_round(const Params& p, const Table& table, unsigned blocks, const Arrays& a,
                  const uint32_t* partial) {
  const Launch at{"round_blocks", blocks, threads, sizeof(BlockLargest)};
  if (p.rounding == Quantize::Rounding::stochastic)
    a.counts ? launch(at, round_kernel<true, true>, p, table, a, partial)
             : launch(at, round_kernel<true, false>, p, table, a, partial);
  else
    a.counts ? launch(at, round_kernel<false, true>, p, table, a, partial)
             : launch(at, round_kernel<false, false>, p, table, a, partial);
}

size_t workspace_bytes(const RoundBlocks::Segment* segments, int64_t n_segments) {
  return static_cast<size_t>(Segments(segments, n_segments).first_partial.back()) * sizeof(uint32_t);
}

void round_all(const Params& p, const RoundBlocks::Arrays& given) {
  const Segments all(given.segments, given.n_segments);
  const auto addresses = reinterpret_cast<uintptr_t>(given.x) | reinterpret_cast<uintptr_t>(given.y) |
                         reinterpret_cast<uintptr_t>(given.codes);
  const Arrays a{.allow = given.allow,
                 .step = given.step,
                 .x = given.x,
                 .y = given.y,
                 .codes = given.codes,
                 .exponents = given.exponents,
                 .counts = given.counts,
                 .aligned = addresses % 16 == 0};
  auto* partial = static_cast<uint32_t*>(given.workspace);
  all.for_each_table(true, [&](const Table& table, unsigned blocks) {
    launch({"round_blocks_largest", blocks, threads, sizeof(BlockLargest)}, largest_kernel, table, a,
           partial);
  });
  all.for_each_table(
      false, [&](const Table& table, unsigned blocks) { launch_round(p, table, blocks, a, partial); });
}

}  // namespace

const RoundBlocks round_blocks{.workspace_bytes = workspace_bytes, .round = round_all};

}  // namespace eb::kernels::cuda
