// d (m, n) = sum over k of a (m, k) b (k, n) for one block: the pipelined main loop that forward,
// backward-data and backward-weight share. A loader fills one stage of an operand's tile; Epilogue rows go
// through shared memory so that stores are as wide as the output allows.
#pragma once
#include "kernels/cuda/gemm/gemm_tile.cuh"

namespace eb::kernels::cuda {

template <class Tile_, class Math_, bool a_k_major_, bool b_k_major_>
struct GemmShape {
  using Tile = Tile_;
  using Math = Math_;
  using T = typename Math::T;
  static constexpr bool a_k_major = a_k_major_, b_k_major = b_k_major_;
  static constexpr int m = Tile::m, n = Tile::n, k = Math::k_chunk;
  static constexpr int threads = threads_of<Tile>;
  static constexpr int warp_m = m / Tile::warps_m, warp_n = n / Tile::warps_n;
  using ATile = SharedTile<T, a_k_major ? m : k, a_k_major ? k : m>;
  using BTile = SharedTile<T, b_k_major ? n : k, b_k_major ? k : n>;
};

template <class Shape>
struct Accumulators {
  static constexpr int rows = Shape::warp_m / 16, columns = Shape::warp_n / 8;
  typename Shape::Math::Sum d[rows][columns][4] = {};

  // f(row, column, value pair of two neighbouring columns) over this thread's outputs of the block's tile.
  template <class F>
  __device__ void visit(F&& f) const {
    const int warp = threadIdx.x / warp_size, lane_id = threadIdx.x % warp_size;
    const int row = warp / Shape::Tile::warps_n * Shape::warp_m + lane_id / 4;
    const int column = warp % Shape::Tile::warps_n * Shape::warp_n + lane_id % 4 * 2;
#pragma unroll
    for (int i = 0; i < rows; ++i)
#pragma unroll
      for (int j = 0; j < columns; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          f(row + i * 16 + half * 8, column + j * 8, d[i][j][2 * half], d[i][j][2 * half + 1]);
  }
};

// The pipeline and the outputs on their way to memory take turns in the same bytes.
template <class Shape, class Out>
struct GemmStorage {
  struct Stages {
    typename Shape::ATile a[Shape::Tile::stages];
    typename Shape::BTile b[Shape::Tile::stages];
  };
  // 16 bytes more a row: eight rows' pieces of one column lie in different banks.
  static constexpr int out_columns = Shape::n + 16 / sizeof(Out);
  static constexpr size_t out_bytes = sizeof(Out) * Shape::m * out_columns;
  static constexpr size_t bytes = sizeof(Stages) > out_bytes ? sizeof(Stages) : out_bytes;
  alignas(128) unsigned char raw[bytes];

  __device__ Stages& stages() { return *reinterpret_cast<Stages*>(raw); }
  __device__ Out* out(int row, int column) {
    return reinterpret_cast<Out*>(raw) + row * out_columns + column;
  }
};

template <class Shape>
__device__ void multiply_chunk(Accumulators<Shape>& sums, const typename Shape::ATile& a,
                               const typename Shape::BTile& b) {
  using Math = typename Shape::Math;
  using Sums = Accumulators<Shape>;
  const int warp = threadIdx.x / warp_size, lane_id = threadIdx.x % warp_size;
  const int m = warp / Shape::Tile::warps_n * Shape::warp_m, n = warp % Shape::Tile::warps_n * Shape::warp_n;
  [[maybe_unused]] constexpr int unrolled =
      Math::parts == 2 ? 1 : Shape::k / Math::k_step;  // registers: the sums of each step
#pragma unroll unrolled
  for (int k = 0; k < Shape::k; k += Math::k_step) {
    Fragment<Math, 4> fa[Sums::rows], fb[Sums::columns / 2];
#pragma unroll
    for (int i = 0; i < Sums::rows; ++i) load_a<Math, Shape::a_k_major>(fa[i], a, m + i * 16, k, lane_id);
#pragma unroll
    for (int j = 0; j < Sums::columns / 2; ++j)
      load_b<Math, Shape::b_k_major>(fb[j], b, n + j * 16, k, lane_id);
#pragma unroll
    for (int i = 0; i < Sums::rows; ++i)
#pragma unroll
      for (int j = 0; j < Sums::columns; ++j) multiply<Math>(sums.d[i][j], fa[i], fb[j / 2], j % 2);
  }
}

// load_a(tile, chunk) and load_b(tile, chunk) fill one stage with chunk 0 .. chunks - 1. All threads call it.
template <class Shape, class Stages, class LoadA, class LoadB>
__device__ void gemm(Accumulators<Shape>& sums, Stages& stages, int chunks, const LoadA& load_a,
                     const LoadB& load_b) {
  constexpr int depth = Shape::Tile::stages;
#pragma unroll
  for (int s = 0; s < depth - 1; ++s) {
    if (s < chunks) {
      load_a(stages.a[s], s);
      load_b(stages.b[s], s);
    }
    commit_copies();
  }
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait_copies<depth - 2>();
    sync_threads();  // this chunk has landed for all, and the stage filled next was read by all
    const int next = chunk + depth - 1;
    if (next < chunks) {
      load_a(stages.a[next % depth], next);
      load_b(stages.b[next % depth], next);
    }
    commit_copies();
    multiply_chunk<Shape>(sums, stages.a[chunk % depth], stages.b[chunk % depth]);
  }
  wait_copies<0>();
  sync_threads();  // the bytes of the stages are free
}

template <class T>
__device__ void store_pair(T* to, float first, float second) {
  if constexpr (sizeof(T) == 2) {
    *reinterpret_cast<uint32_t*>(to) = pack_bf16(first, second);
  } else {
    to[0] = first;
    to[1] = second;
  }
}

// out (rows, columns) <- the block's tile, `width` elements a store. Row i begins at out + row_at(i);
// finish(i, j, sum) is the value of row i and column j.
template <class Shape, int width, class Out, class Finish, class RowAt>
__device__ void store_tile(const Accumulators<Shape>& sums, GemmStorage<Shape, Out>& storage, Out* out,
                           int64_t rows, int64_t columns, const RowAt& row_at, const Finish& finish) {
  sums.visit([&](int row, int column, auto first, auto second) {
    store_pair(storage.out(row, column), finish(row, column, first), finish(row, column + 1, second));
  });
  sync_threads();
  constexpr int per_row = Shape::n / width;
  for (int i = threadIdx.x; i < Shape::m * per_row; i += Shape::threads) {
    const int row = i / per_row, column = i % per_row * width;
    if (row < rows && column < columns)
      *reinterpret_cast<Vec<Out, width>*>(out + row_at(row) + column) =
          *reinterpret_cast<const Vec<Out, width>*>(storage.out(row, column));
  }
}

}  // namespace eb::kernels::cuda
