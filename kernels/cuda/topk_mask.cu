// The mask in one launch of one block: radix select over the bits of |score| (non-negative floats order like
// their bits) by three integer histograms of 11, 11 and 9 bits, ties by index through ordered counts, then
// the distances by popcount. Scores stay in L2 between passes: ResNet-50 has 26,560 of them, 104 KB.
#include "kernels/topk_mask.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 1024, warps = threads / warp_size;
constexpr int bins = 2048;
constexpr uint32_t infinity = 0x7f800000u;

using Params = TopkMask::Params;

struct Scores {
  int64_t total;
  const float* values;
  const int32_t* index;
  __device__ uint32_t key(int64_t i) const { return bits_of(values[index ? index[i] : i]) & 0x7fffffffu; }
};

// Merged scores are computed once, into global memory: three passes read them.
__device__ Scores gather(const Params& p, const TopkMask::Scores& given, float* merged) {
  if (!given.first) return {p.total, given.values, given.index};
  for (int64_t i = threadIdx.x; i < p.total; i += threads)
    merged[i] = merged_score(given, given.first[i], given.first[i + 1], p.largest);
  sync_threads();
  return {p.total, merged, nullptr};
}

struct Storage {
  unsigned histogram[bins];
  int warp_count[warps];
  unsigned prefix;
  int64_t rank;
  int bad, kept, equal_before;
};

__device__ void count_bad(Storage& s, const Scores& scores) {
  int bad = 0;
  for (int64_t i = threadIdx.x; i < scores.total; i += threads) bad += scores.key(i) > infinity;
  bad = warp_sum(bad);
  if (threadIdx.x % warp_size == 0 && bad) atomic_add(&s.bad, bad);
  sync_threads();
}

// The bin that holds rank s.rank, by the first warp: each lane adds its 64 bins, then the lanes line up.
__device__ void find_bin(Storage& s, int bits) {
  if (threadIdx.x >= warp_size) return;
  const int lane_id = threadIdx.x, per_lane = bins / warp_size;
  int64_t own = 0;
  for (int i = 0; i < per_lane; ++i) own += s.histogram[lane_id * per_lane + i];
  int64_t before = own;
  for (int delta = 1; delta < warp_size; delta *= 2) {
    const int64_t v = shuffle_up(full_warp, before, delta);
    if (lane_id >= delta) before += v;
  }
  before -= own;
  const int64_t rank = s.rank;
  sync_warp(full_warp);  // all have read the rank
  if (rank < before || rank >= before + own) return;
  int bin = lane_id * per_lane;
  while (rank >= before + s.histogram[bin]) before += s.histogram[bin++];
  s.prefix = s.prefix << bits | static_cast<unsigned>(bin);
  s.rank = rank - before;
}

// The key of rank s.rank; afterwards s.rank is its rank among equal keys.
__device__ uint32_t key_at_rank(Storage& s, const Scores& scores) {
  int shift = 31;
  for (const int bits : {11, 11, 9}) {
    for (int i = threadIdx.x; i < bins; i += threads) s.histogram[i] = 0;
    sync_threads();
    const uint32_t prefix = s.prefix;
    for (int64_t i = threadIdx.x; i < scores.total; i += threads) {
      const uint32_t key = scores.key(i);
      if (shift == 31 || key >> shift == prefix)
        atomic_add(&s.histogram[key >> (shift - bits) & ((1u << bits) - 1)], 1u);
    }
    sync_threads();
    find_bin(s, bits);
    sync_threads();
    shift -= bits;
  }
  return s.prefix;
}

// Keeps keys above `threshold` and, of those equal to it, all but the first `tied`; zeros if nothing may be
// kept.
__device__ void write_mask(Storage& s, const Scores& scores, uint32_t threshold, int64_t tied,
                           uint32_t* mask) {
  const int lane_id = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const int64_t padded = TopkMask::words(scores.total) * 64;
  for (int64_t first = 0; first < padded; first += threads) {
    const int64_t i = first + threadIdx.x;
    const uint32_t key = i < scores.total ? scores.key(i) : 0;
    const bool equal = i < scores.total && key == threshold;
    const unsigned equals = ballot(full_warp, equal);
    if (lane_id == 0) s.warp_count[warp] = popcount(equals);
    sync_threads();
    int before = s.equal_before;
    for (int w = 0; w < warp; ++w) before += s.warp_count[w];
    before += popcount(equals & ((1u << lane_id) - 1));
    const bool keep = i < scores.total && (key > threshold || (equal && before >= tied));
    const unsigned word = ballot(full_warp, keep);
    if (lane_id == 0 && i < padded) {
      mask[i / 32] = word;
      if (word) atomic_add(&s.kept, popcount(word));
    }
    sync_threads();
    if (threadIdx.x == threads - 1) s.equal_before = before + equal;
    sync_threads();
  }
}

__global__ void __launch_bounds__(threads)
    draw_kernel(Params p, TopkMask::Scores given, float* merged, const uint64_t* fifo, uint64_t* mask,
                TopkMask::Result* result, int64_t* distances) {
  auto& s = shared<Storage>();
  const Scores scores = gather(p, given, merged);
  const bool exact = p.rule == TopkMask::Rule::exact_k;
  const int64_t rank = exact ? p.k - 1 : p.k;
  if (threadIdx.x == 0) {
    s.bad = s.kept = s.equal_before = 0;
    s.prefix = 0;
    s.rank = rank < 0 ? 0 : rank;
  }
  sync_threads();
  count_bad(s, scores);
  const bool has_nan = s.bad > 0;
  uint32_t threshold = 0;
  int64_t tied = 0;
  if (has_nan) {
    threshold = 0xffffffffu;  // above every key
  } else if (rank >= 0) {
    threshold = key_at_rank(s, scores);
    tied = exact ? s.rank + 1 : scores.total;
  }
  write_mask(s, scores, threshold, tied, reinterpret_cast<uint32_t*>(mask));
  if (threadIdx.x == 0) *result = {has_nan ? 0.f : float_of(threshold), s.kept, has_nan};
  const int64_t words = TopkMask::words(scores.total);
  for (int64_t w = threadIdx.x / warp_size; w < p.window; w += warps) {
    int differing = 0;
    for (int64_t i = threadIdx.x % warp_size; i < words; i += warp_size)
      differing += popcount(mask[i] ^ fifo[w * words + i]);
    differing = warp_sum(differing);
    if (threadIdx.x % warp_size == 0) distances[w] = differing;
  }
}

// The merged scores, where there are any.
size_t workspace_bytes(const Params& p) {
  return static_cast<size_t>(p.total) * sizeof(float);
}

void draw(const Params& p, const TopkMask::Draw& a) {
  launch({"topk_mask", 1, threads, sizeof(Storage)}, draw_kernel, p, a.scores,
         static_cast<float*>(a.workspace), a.fifo, a.mask, a.result, a.distances);
}

// Masks on the host: the packed history of a run is compared there.
int64_t hamming(int64_t total, const uint64_t* a, const uint64_t* b) {
  int64_t differing = 0;
  for (int64_t i = 0; i < TopkMask::words(total); ++i) differing += __builtin_popcountll(a[i] ^ b[i]);
  return differing;
}

}  // namespace

const TopkMask topk_mask{.workspace_bytes = workspace_bytes, .draw = draw, .hamming = hamming};

}  // namespace eb::kernels::cuda
