// Quantising in two passes: the largest magnitude of every block, unless whoever wrote x knows it, then the
// codes.
#include "kernels/cuda/quantize.cuh"

namespace eb::kernels::cuda {

namespace {

using Params = Quantize::Params;

constexpr int threads = round_threads;

struct Outputs {
  int8_t* codes;
  int16_t* exponents;
  Quantize::Counts* counts;
};

__device__ BlockFormat format_of(const Params& p, uint32_t largest, const uint32_t* step) {
  return {p.bits, block_exponent(largest), p.seed, step ? *step : 0, p.tensor};
}

// partial (blocks, slices): bits of the largest magnitude.
template <class T, int N>
__global__ void largest_kernel(Params p, Cut c, const T* x, uint32_t* partial) {
  const Slice slice(p.block, c, blockIdx.x, blockIdx.y);
  const uint32_t most =
      block_largest(largest_of<N>(x, slice.first + int64_t{threadIdx.x} * N, slice.end, threads * N));
  if (threadIdx.x == 0) partial[int64_t{blockIdx.x} * c.slices + blockIdx.y] = most;
}

// partial (blocks, partials)
template <class T, int N, bool stochastic, bool counted>
__global__ void encode_kernel(Params p, Cut c, const T* x, const uint32_t* step, int64_t partials,
                              const uint32_t* partial, Outputs out) {
  uint32_t most = 0;
  for (int64_t s = threadIdx.x; s < partials; s += threads)
    most = larger(most, partial[int64_t{blockIdx.x} * partials + s]);
  const BlockFormat format = format_of(p, block_largest(most), step);
  if (threadIdx.x == 0 && blockIdx.y == 0) out.exponents[blockIdx.x] = format.exponent;
  const Slice slice(p.block, c, blockIdx.x, blockIdx.y);
  Tally tally;
  for (int64_t i = slice.first + int64_t{threadIdx.x} * N; i < slice.end; i += threads * N) {
    Run<T, N> v;
    v.load(x + i);
    int32_t code[N];
    codes_of<stochastic, counted>(format, p.first + i, v, code, tally);
    store_codes(out.codes + i, code);
  }
  if constexpr (counted) tally.add_to(out.counts);
}

// Blocks of one element: their own exponents, in one pass.
template <class T, bool stochastic, bool counted>
__global__ void encode_elements_kernel(Params p, const T* x, const uint32_t* step, Outputs out) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  Tally tally;
  if (i < p.blocks) {
    Run<T, 1> v;
    v.load(x + i);
    const BlockFormat format = format_of(p, bits_of(v[0]) & 0x7fffffffu, step);
    out.exponents[i] = format.exponent;
    int32_t code[1];
    codes_of<stochastic, counted>(format, p.first + i, v, code, tally);
    store_codes(out.codes + i, code);
  }
  if constexpr (counted) tally.add_to(out.counts);
}

// N neighbours a thread, all of one block.
template <class T, int N>
__global__ void decode_kernel(Params p, const uint8_t* codes, const int16_t* exponents, T* y) {
  const int64_t i = (int64_t{blockIdx.x} * threads + threadIdx.x) * N;
  if (i >= p.blocks * p.block) return;
  const float scale = float_of(block_scale(exponents[i / p.block], p.bits));
  Run<uint8_t, N> code;
  code.load(codes + i);
  float v[N];
#pragma unroll
  for (int j = 0; j < N; ++j) v[j] = static_cast<float>(static_cast<int8_t>(code[j])) * scale;
  store_floats(y + i, v);
}

template <class T, int N, bool stochastic, bool counted>
void encode_blocks(const Params& p, const Quantize::Arrays& a, const Outputs& out) {
  const T* x = static_cast<const T*>(a.x);
  const Cut c = cut_block(p.block);
  const dim3 grid(static_cast<unsigned>(p.blocks), static_cast<unsigned>(c.slices));
  const int64_t partials = a.largest ? 1 : c.slices;
  const uint32_t* largest = a.largest;
  if (!largest) {
    auto* partial = static_cast<uint32_t*>(a.workspace);
    launch({"quantize_largest", grid, threads, sizeof(BlockLargest)}, largest_kernel<T, N>, p, c, x, partial);
    largest = partial;
  }
  launch({"quantize", grid, threads, sizeof(BlockLargest)}, encode_kernel<T, N, stochastic, counted>, p, c, x,
         a.step, partials, largest, out);
}

template <class T, bool stochastic, bool counted>
void quantize_as(const Params& p, const Quantize::Arrays& a, const Outputs& out) {
  if (p.block == 1)
    launch({"quantize_elements", blocks_for(p.blocks, threads), threads},
           encode_elements_kernel<T, stochastic, counted>, p, static_cast<const T*>(a.x), a.step, out);
  else if (p.block % 8 == 0 && (!stochastic || p.first % 8 == 0))  // runs of eight begin where draws do
    encode_blocks<T, 8, stochastic, counted>(p, a, out);
  else
    encode_blocks<T, 1, stochastic, counted>(p, a, out);
}

// The slices' maxima (blocks, slices).
size_t workspace_bytes(const Params& p) {
  if (p.block <= 1) return 0;
  return static_cast<size_t>(p.blocks * cut_block(p.block).slices) * sizeof(uint32_t);
}

void quantize_all(const Params& p, const Quantize::Arrays& a) {
  if (p.blocks * p.block == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    const auto run = [&]<bool stochastic>() {
      const Outputs out{.codes = a.codes, .exponents = a.exponents, .counts = a.counts};
      a.counts ? quantize_as<T, stochastic, true>(p, a, out) : quantize_as<T, stochastic, false>(p, a, out);
    };
    p.rounding == Quantize::Rounding::stochastic ? run.template operator()<true>()
                                                 : run.template operator()<false>();
  });
}

void dequantize(const Params& p, const int8_t* codes, const int16_t* exponents, void* y) {
  const int64_t n = p.blocks * p.block;
  if (n == 0) return;
  const auto* bytes = reinterpret_cast<const uint8_t*>(codes);
  by_dtype(p.dtype, [&]<class T>() {
    if (p.block % 8 == 0)
      launch({"dequantize", blocks_for(n, 8 * threads), threads}, decode_kernel<T, 8>, p, bytes, exponents,
             static_cast<T*>(y));
    else
      launch({"dequantize", blocks_for(n, threads), threads}, decode_kernel<T, 1>, p, bytes, exponents,
             static_cast<T*>(y));
  });
}

}  // namespace

const Quantize quantize{
    .workspace_bytes = workspace_bytes, .quantize = quantize_all, .dequantize = dequantize};

}  // namespace eb::kernels::cuda
