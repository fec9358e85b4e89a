// The main loop of the sm_90a kernels: a ring of stages in shared memory that one thread fills by bulk copies
// and two warpgroups multiply by wgmma. A stage is 64 steps of the reduction (128 of int8) of a (128, k) and
// b (k, n), each in tiles of 64 rows of 128 bytes: K-major (rows are m or n) or MN-major (rows are steps of
// k).
#pragma once
#include "kernels/cuda/gemm/hopper.cuh"

namespace eb::kernels::cuda {

// Each warpgroup has half of the rows. Two blocks share an SM, so one's epilogue hides behind the other's
// multiplies; 256 rows of 128 columns take the SM alone and need a quarter less from L2, 256 rows of 64
// columns have two stages each, between which the other block multiplies. To be measured.
template <int m_, int n_, class T_ = bf16>
struct HopperTile {
  using T = T_;
  using Sum = std::conditional_t<std::is_same_v<T, int8_t>, int32_t, float>;
  static constexpr int m = m_, n = n_, k = 128 / sizeof(T);
  static constexpr bool alone = m == 256 && n == 128;
  static constexpr int blocks = alone ? 1 : 2;
  static constexpr int stages = alone ? 4 : m == 256 ? 2 : n == 64 ? 4 : 3;
  static constexpr int consumers = 2 * warpgroup_size, threads = consumers + warp_size;
  static constexpr int a_elements = m * k, b_elements = n * k;
};

// A consumer thread's outputs: of each 64 rows of its warpgroup.
template <class Tile>
struct HopperSums {
  static constexpr int parts = Tile::m / 128;
  typename Tile::Sum d[parts][Tile::n / 2];

  // f(row, column, two neighbouring columns' values) over rows and columns of the block's tile.
  template <class F>
  __device__ void visit(F&& f) {
    const int thread = threadIdx.x % warpgroup_size, group = threadIdx.x / warpgroup_size;
    const int row = group * Tile::m / 2 + thread / warp_size * 16 + thread % warp_size / 4;
#pragma unroll
    for (int j = 0; j < Tile::n / 8; ++j)
#pragma unroll
      for (int i = 0; i < parts; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          f(row + i * 64 + half * 8, j * 8 + thread % 4 * 2, d[i][j * 4 + half * 2],
            d[i][j * 4 + half * 2 + 1]);
  }
};

template <class Tile>
struct alignas(1024) HopperRing {
  typename Tile::T a[Tile::stages * Tile::a_elements];
  typename Tile::T b[Tile::stages * Tile::b_elements];
  Mbarrier full[Tile::stages], empty[Tile::stages];
};

// The outputs on their way to memory take the ring's bytes; 16 bytes more a row spread the banks.
template <class Tile, class Out>
struct HopperStorage : HopperRing<Tile> {
  static constexpr int out_columns = Tile::n + 16 / sizeof(Out);
  static_assert(Tile::m * out_columns * sizeof(Out) <=
                sizeof HopperRing<Tile>::a + sizeof HopperRing<Tile>::b);
  __device__ Out* out(int row, int column) {
    return reinterpret_cast<Out*>(this->a) + row * out_columns + column;
  }
};

// Position in the ring; the parity is that of the phase to wait for.
template <int stages>
struct RingPosition {
  int stage = 0;
  unsigned parity = 0;
  __device__ void advance() {
    if (++stage == stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// All threads of the block.
template <class Tile>
__device__ void init_ring(HopperRing<Tile>& s) {
  if (threadIdx.x == 0) {
    for (int i = 0; i < Tile::stages; ++i) {
      barrier_init(s.full[i], 1);
      barrier_init(s.empty[i], Tile::consumers / warp_size);
    }
    fence_barrier_init();
  }
  sync_threads();
}

// A warpgroup: sums += its rows of a times b.
template <bool a_mn_major, bool b_mn_major, class Tile>
__device__ void consume(HopperSums<Tile>& sums, HopperRing<Tile>& s, int chunks) {
  const int group = threadIdx.x / warpgroup_size;
  const bool first_lane = threadIdx.x % warp_size == 0;
  // Only an operand of more than 64 columns in MN-major order has a leading distance.
  const uint64_t a = operand_descriptor(shared_address(s.a + group * Tile::m / 2 * Tile::k), 16);
  constexpr uint64_t bytes = sizeof(typename Tile::T), part = 64 * Tile::k * bytes;  // of 64 rows
  const uint64_t b = operand_descriptor(shared_address(s.b), b_mn_major ? part : 16);
  constexpr uint64_t a_stage = Tile::a_elements * bytes >> 4, b_stage = Tile::b_elements * bytes >> 4;
  RingPosition<Tile::stages> ring;
  int previous = 0;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait(s.full[ring.stage], ring.parity);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k)  // 32 bytes of a row each
#pragma unroll
      for (int i = 0; i < sums.parts; ++i) {
        const uint64_t a_at = a + ring.stage * a_stage + i * (part >> 4) + k * next_k<a_mn_major>;
        const uint64_t b_at = b + ring.stage * b_stage + k * next_k<b_mn_major>;
        if constexpr (bytes == 1)
          wgmma_s8(sums.d[i], a_at, b_at);
        else
          wgmma<a_mn_major, b_mn_major>(sums.d[i], a_at, b_at);
      }
    wgmma_commit();
    wgmma_wait<1>();  // the chunk before is done: its stage may be filled again
    if (chunk > 0 && first_lane) arrive(s.empty[previous]);
    previous = ring.stage;
    ring.advance();
  }
#pragma unroll
  for (int i = 0; i < sums.parts; ++i) wgmma_finish(sums.d[i]);
}

}  // namespace eb::kernels::cuda
