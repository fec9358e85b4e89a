// Small blocks are rounded in one visit: the second read of their numbers comes from the cache. Large ones
// are cut into pieces and need two.
#include "kernels/cpu/quantize.h"

#include <atomic>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/no_workspace.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using Segment = RoundBlocks::Segment;

constexpr int64_t run_elements = 512;  // what is rounded at a time: its random bits stay in the L1 cache

// Elements begin to end - 1 of `blocks` blocks from `block` on; one block unless they are whole.
struct Job {
  int64_t segment, block, blocks, begin, end;
  uint32_t largest = 0;  // of this piece of a large block
};

struct Jobs {
  std::vector<Job> small, large;
};

// A block that is no larger than half a core's L2 is one visit, if there are enough to share.
bool is_small(const Segment& s) {
  return s.block <= chunk_elements || (s.block <= 2 * chunk_elements && s.blocks >= 16);
}

Jobs cut(const Segment* segments, int64_t n_segments) {
  Jobs jobs;
  for (int64_t n = 0; n < n_segments; ++n) {
    const Segment& s = segments[n];
    if (s.block == 0) continue;
    const int64_t grain = is_small(s) ? std::max<int64_t>(1, chunk_elements / s.block) : 1;
    for (int64_t b = 0; b < s.blocks; b += grain) {
      if (is_small(s))
        jobs.small.push_back({n, b, std::min(grain, s.blocks - b), 0, s.block});
      else
        for (int64_t i = 0; i < s.block; i += chunk_elements)
          jobs.large.push_back({n, b, 1, i, std::min(s.block, i + chunk_elements)});
    }
  }
  return jobs;
}

template <class T>
struct Rounder {
  const Rounding& how;
  const RoundedArrays<T>& a;
  const Segment& s;
  Quantize::Counts counts;

  // n <= run_elements numbers of one block, of which the first is `first` of the segment.
  template <bool counted>
  void encode_run(int64_t first, int64_t n, int16_t exponent, int8_t* codes) {
    const T* x = a.x + s.offset + first;
    const int32_t mask = (1 << rounding_bits(how.bits)) - 1;
    if (!how.stochastic) {
      const auto half = [=](int64_t) { return mask / 2 + 1; };
      return encode<counted>(n, exponent, how.bits, x, half, codes, counts);
    }
    const int64_t per_draw = elements_per_draw(how.bits), at = how.first + first, draw = at / per_draw,
                  skip = at % per_draw;
    const int64_t draws = ceil_div(ceil_div(skip + n, per_draw), 4) * 4;
    if (how.bits == 8) {  // the halves of the words, low half first
      uint16_t halves[run_elements + 64];
      rounding_draws(how, s.tensor, draw, draws, halves);
      const auto r = [=, h = halves + skip](int64_t i) { return h[i] & mask; };
      encode<counted>(n, exponent, how.bits, x, r, codes, counts);
    } else {
      uint32_t words[run_elements + 32];
      rounding_draws(how, s.tensor, draw, draws, words);
      const auto r = [=, w = words + skip](int64_t i) { return static_cast<int32_t>(w[i]) & mask; };
      encode<counted>(n, exponent, how.bits, x, r, codes, counts);
    }
  }

  // A block whose codes are zero whatever is in it. Bad numbers count as nothing: they stop the training.
  void no_codes(int64_t first, int64_t n, int16_t exponent, int8_t* codes) {
    const T* x = a.x + s.offset + first;
    std::fill(codes, codes + n, int8_t{0});
    if (exponent == zero_block && a.counts)
      counts.flushed += std::count_if(x, x + n, [](T v) { return static_cast<float>(v) != 0; });
  }

  // Elements begin to end - 1 of the segment, all of one block.
  void round(int64_t begin, int64_t end, int16_t exponent) {
    const auto scale = std::bit_cast<float>(block_scale(exponent, how.bits));
    int8_t unwanted[run_elements];
    for (int64_t i = begin; i < end; i += run_elements) {
      const int64_t n = std::min(run_elements, end - i);
      int8_t* codes = a.codes ? a.codes + s.offset + i : unwanted;
      if (exponent == zero_block || exponent == bad_block)
        no_codes(i, n, exponent, codes);
      else
        a.counts ? encode_run<true>(i, n, exponent, codes) : encode_run<false>(i, n, exponent, codes);
      if (a.y) decode(n, scale, codes, a.y + s.offset + i);
    }
  }

  void whole_blocks(int64_t first, int64_t n) {
    for (int64_t b = first; b < first + n; ++b) {
      const int64_t at = s.first_block + b;
      const uint32_t largest = a.largest ? a.largest[at] : largest_of(s.block, a.x + s.offset + b * s.block);
      a.exponents[at] = block_exponent(largest);
      round(b * s.block, (b + 1) * s.block, a.exponents[at]);
    }
  }
};

// The exponents of large blocks, whose pieces follow each other.
template <class T>
void find_exponents(std::vector<Job>& pieces, const Segment* segments, const RoundedArrays<T>& a) {
  if (!a.largest)
    parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
      Job& j = pieces[i];
      const Segment& s = segments[j.segment];
      j.largest = largest_of(j.end - j.begin, a.x + s.offset + j.block * s.block + j.begin);
    });
  uint32_t largest = 0;
  for (const Job& j : pieces) {
    const Segment& s = segments[j.segment];
    const int64_t at = s.first_block + j.block;
    largest = a.largest ? a.largest[at] : j.begin == 0 ? j.largest : std::max(largest, j.largest);
    a.exponents[at] = block_exponent(largest);
  }
}

void add(Quantize::Counts& to, const Quantize::Counts& more) {
  std::atomic_ref(to.saturated).fetch_add(more.saturated, std::memory_order_relaxed);
  std::atomic_ref(to.flushed).fetch_add(more.flushed, std::memory_order_relaxed);
}

}  // namespace

template <class T>
void round_segments(const Rounding& how, const Segment* segments, int64_t n_segments,
                    const RoundedArrays<T>& a) {
  Jobs jobs = cut(segments, n_segments);
  find_exponents(jobs.large, segments, a);
  const auto n_large = static_cast<int64_t>(jobs.large.size()),
             n_small = static_cast<int64_t>(jobs.small.size());
  parallel_for(n_large + n_small, [&](int64_t i) {
    const Job& j = i < n_large ? jobs.large[i] : jobs.small[i - n_large];
    Rounder<T> rounder{how, a, segments[j.segment], {}};
    const int64_t first = j.block * rounder.s.block;
    if (i < n_large)
      rounder.round(first + j.begin, first + j.end, a.exponents[rounder.s.first_block + j.block]);
    else
      rounder.whole_blocks(j.block, j.blocks);
    if (a.counts) add(a.counts[j.segment], rounder.counts);
  });
}
template void round_segments(const Rounding&, const Segment*, int64_t, const RoundedArrays<float>&);
template void round_segments(const Rounding&, const Segment*, int64_t, const RoundedArrays<bf16>&);

namespace {

using Params = Quantize::Params;

void quantize_all(const Params& p, const Quantize::Arrays& a) {
  const Rounding how{p.bits, p.rounding == Quantize::Rounding::stochastic, p.seed, a.step ? *a.step : 0,
                     p.first};
  const Segment all{0, p.blocks, p.block, 0, p.tensor};
  by_dtype(p.dtype, [&]<class T>() {
    round_segments<T>(how, &all, 1,
                      {.x = static_cast<const T*>(a.x),
                       .y = nullptr,
                       .codes = a.codes,
                       .exponents = a.exponents,
                       .counts = a.counts,
                       .largest = a.largest});
  });
}

void dequantize(const Params& p, const int8_t* codes, const int16_t* exponents, void* y) {
  const Segment all{0, p.blocks, p.block, 0, p.tensor};
  Jobs jobs = cut(&all, 1);
  jobs.small.insert(jobs.small.end(), jobs.large.begin(), jobs.large.end());
  by_dtype(p.dtype, [&]<class T>() {
    parallel_for(static_cast<int64_t>(jobs.small.size()), [&](int64_t i) {
      const Job& j = jobs.small[i];
      for (int64_t b = j.block; b < j.block + j.blocks; ++b)
        decode(j.end - j.begin, std::bit_cast<float>(block_scale(exponents[b], p.bits)),
               codes + b * p.block + j.begin, static_cast<T*>(y) + b * p.block + j.begin);
    });
  });
}

}  // namespace

const Quantize quantize = {
    .workspace_bytes = no_workspace, .quantize = quantize_all, .dequantize = dequantize};

}  // namespace eb::kernels::cpu
