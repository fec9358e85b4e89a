// Quantising in two passes: the largest magnitude of every block, then the codes. A block is cut into slices,
// so that one block for the whole tensor keeps the card busy too; the slices' maxima are merged by whoever
// needs them, which is free of order and of atomics.
#include "kernels/quantize.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

using Params = Quantize::Params;

constexpr int threads = 256;
constexpr int64_t per_slice = 16384, most_slices = 256;

struct Cut {
  int64_t slices, elements;  // of a block; elements of a slice, a multiple of 8
};
Cut cut(const Params& p) {
  int64_t slices = ceil_div(p.block, per_slice);
  if (slices > most_slices) slices = most_slices;
  const int64_t elements = ceil_div(ceil_div(p.block, slices), 8) * 8;
  return {ceil_div(p.block, elements), elements};
}

struct Piece {
  int64_t first, end;  // elements of x
  __device__ Piece(const Params& p, const Cut& c, int64_t block, int64_t slice) {
    first = block * p.block + slice * c.elements;
    const int64_t last = (block + 1) * p.block;
    end = first + c.elements < last ? first + c.elements : last;
  }
};

__device__ uint32_t largest(uint32_t a, uint32_t b) {
  return a > b ? a : b;
}

struct BlockLargest {
  uint32_t warps[threads / warp_size];
};

// The largest over the threads of the block, for all of them.
__device__ uint32_t block_largest(uint32_t v) {
  auto& s = shared<BlockLargest>();
  for (int offset = warp_size / 2; offset > 0; offset /= 2) v = largest(v, shuffle_xor(full_warp, v, offset));
  if (threadIdx.x % warp_size == 0) s.warps[threadIdx.x / warp_size] = v;
  sync_threads();
  for (int w = 0; w < threads / warp_size; ++w) v = largest(v, s.warps[w]);
  return v;
}

// partial (blocks, slices): bits of the largest magnitude.
template <class T, int N>
__global__ void largest_kernel(Params p, Cut c, const T* x, uint32_t* partial) {
  const Piece piece(p, c, blockIdx.x, blockIdx.y);
  uint32_t most = 0;
  for (int64_t i = piece.first + int64_t{threadIdx.x} * N; i < piece.end; i += threads * N) {
    Run<T, N> v;
    v.load(x + i);
#pragma unroll
    for (int j = 0; j < N; ++j) most = largest(most, bits_of(v[j]) & 0x7fffffffu);
  }
  most = block_largest(most);
  if (threadIdx.x == 0) partial[int64_t{blockIdx.x} * c.slices + blockIdx.y] = most;
}

template <int N>
__device__ void store_codes(int8_t* codes, const uint32_t (&code)[N]) {
  store_bytes(reinterpret_cast<uint8_t*>(codes), code);
}

// The codes of N elements from i on, N a multiple of what a draw serves or one.
template <bool stochastic, class T, int N>
__device__ void encode(const Params& p, int16_t exponent, int64_t i, const T* x, int8_t* codes) {
  Run<T, N> v;
  v.load(x + i);
  uint32_t code[N];
  const int64_t per_draw = elements_per_draw(p.bits);
  Philox4 draw{};
#pragma unroll
  for (int j = 0; j < N; ++j) {
    int32_t r = 1 << (rounding_bits(p.bits) - 1);
    if constexpr (stochastic) {
      if (j == 0 || (i + j) % per_draw == 0) draw = rounding_draw(p, (i + j) / per_draw);
      r = rounding_of(p.bits, draw, i + j);
    }
    code[j] = static_cast<uint32_t>(block_code(bits_of(v[j]), exponent, p.bits, r)) & 0xffu;
  }
  store_codes(codes + i, code);
}

template <class T, int N, bool stochastic>
__global__ void encode_kernel(Params p, Cut c, const T* x, const uint32_t* partial, int8_t* codes,
                              int16_t* exponents) {
  uint32_t most = 0;
  for (int64_t s = threadIdx.x; s < c.slices; s += threads)
    most = largest(most, partial[int64_t{blockIdx.x} * c.slices + s]);
  const int16_t exponent = block_exponent(block_largest(most));
  if (threadIdx.x == 0 && blockIdx.y == 0) exponents[blockIdx.x] = exponent;
  const Piece piece(p, c, blockIdx.x, blockIdx.y);
  const bool encoded = exponent != zero_block && exponent != bad_block;
  for (int64_t i = piece.first + int64_t{threadIdx.x} * N; i < piece.end; i += threads * N) {
    if (encoded) {
      encode<stochastic, T, N>(p, exponent, i, x, codes);
    } else {
      const uint32_t none[N] = {};
      store_codes(codes + i, none);
    }
  }
}

// Blocks of one element: their own exponents, in one pass.
template <class T, bool stochastic>
__global__ void encode_elements_kernel(Params p, const T* x, int8_t* codes, int16_t* exponents) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.blocks) return;
  const int16_t exponent = block_exponent(bits_of(static_cast<float>(x[i])) & 0x7fffffffu);
  exponents[i] = exponent;
  if (exponent == zero_block || exponent == bad_block)
    codes[i] = 0;
  else
    encode<stochastic, T, 1>(p, exponent, i, x, codes);
}

template <class T>
__global__ void decode_kernel(Params p, const int8_t* codes, const int16_t* exponents, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.blocks * p.block) return;
  const float scale = float_of(block_scale(exponents[i / p.block], p.bits));
  y[i] = T(static_cast<float>(codes[i]) * scale);
}

template <class T, int N, bool stochastic>
void encode_blocks(const Params& p, const T* x, int8_t* codes, int16_t* exponents) {
  const Cut c = cut(p);
  const dim3 grid(static_cast<unsigned>(p.blocks), static_cast<unsigned>(c.slices));
  auto* partial =
      static_cast<uint32_t*>(scratch(sizeof(uint32_t) * static_cast<size_t>(p.blocks * c.slices)));
  launch({"quantize_largest", grid, threads, sizeof(BlockLargest)}, largest_kernel<T, N>, p, c, x, partial);
  launch({"quantize", grid, threads, sizeof(BlockLargest)}, encode_kernel<T, N, stochastic>, p, c, x,
         static_cast<const uint32_t*>(partial), codes, exponents);
}

template <class T, bool stochastic>
void quantize_as(const Params& p, const T* x, int8_t* codes, int16_t* exponents) {
  if (p.block == 1)
    launch({"quantize_elements", blocks_for(p.blocks, threads), threads},
           encode_elements_kernel<T, stochastic>, p, x, codes, exponents);
  else if (p.block % 8 == 0)
    encode_blocks<T, 8, stochastic>(p, x, codes, exponents);
  else
    encode_blocks<T, 1, stochastic>(p, x, codes, exponents);
}

void quantize_all(const Params& p, const void* x, int8_t* codes, int16_t* exponents) {
  if (p.blocks * p.block == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    const T* from = static_cast<const T*>(x);
    p.rounding == Quantize::Rounding::stochastic ? quantize_as<T, true>(p, from, codes, exponents)
                                                 : quantize_as<T, false>(p, from, codes, exponents);
  });
}

void dequantize(const Params& p, const int8_t* codes, const int16_t* exponents, void* y) {
  if (p.blocks * p.block == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    launch({"dequantize", blocks_for(p.blocks * p.block, threads), threads}, decode_kernel<T>, p, codes,
           exponents, static_cast<T*>(y));
  });
}

}  // namespace

extern const Quantize quantize;
const Quantize quantize{quantize_all, dequantize};

}  // namespace eb::kernels::EB_BACKEND
