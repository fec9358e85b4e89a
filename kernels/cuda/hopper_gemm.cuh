// The main loop of the sm_90a kernels: a ring of stages in shared memory that one thread fills by bulk copies
// and two warpgroups multiply by wgmma. A stage is 64 steps of the reduction of a (128, k) and b (k, n), each
// in tiles of 64 rows of 128 bytes: K-major (rows are m or n) or MN-major (rows are steps of k).
#pragma once
#include "kernels/cuda/hopper.cuh"

namespace eb::kernels::EB_BACKEND {

// Each warpgroup has half of the rows. Two blocks of 128 rows share an SM, so one's epilogue hides behind the
// other's multiplies; 256 rows take the SM alone and need a quarter less from L2. To be measured.
template <int m_, int n_>
struct HopperTile {
  static constexpr int m = m_, n = n_, k = 64;
  static constexpr int stages = m == 256 || n == 64 ? 4 : 3, blocks = m == 256 ? 1 : 2;
  static constexpr int consumers = 2 * warpgroup_size, threads = consumers + warp_size;
  static constexpr int a_elements = m * k, b_elements = n * k;
};

// A consumer thread's outputs: of each 64 rows of its warpgroup.
template <class Tile>
struct HopperSums {
  static constexpr int parts = Tile::m / 128;
  float d[parts][Tile::n / 2];

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
struct alignas(1024) HopperStorage {
  bf16 a[Tile::stages * Tile::a_elements];
  bf16 b[Tile::stages * Tile::b_elements];
  Mbarrier full[Tile::stages], empty[Tile::stages];

  // The outputs on their way to memory take the ring's bytes; 16 bytes more a row spread the banks.
  static constexpr int out_columns = Tile::n + 8;
  static_assert(Tile::m * out_columns <= Tile::stages * Tile::a_elements);
  __device__ bf16* out(int row, int column) { return a + row * out_columns + column; }
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
__device__ void init_ring(HopperStorage<Tile>& s) {
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
template <class Tile, bool a_mn_major, bool b_mn_major>
__device__ void consume(HopperSums<Tile>& sums, HopperStorage<Tile>& s, int chunks) {
  const int group = threadIdx.x / warpgroup_size;
  const bool first_lane = threadIdx.x % warp_size == 0;
  // Only an operand of more than 64 columns in MN-major order has a leading distance.
  const uint64_t a = operand_descriptor(shared_address(s.a + group * Tile::m / 2 * Tile::k), 16);
  const uint64_t b = operand_descriptor(shared_address(s.b), b_mn_major ? 64 * Tile::k * 2 : 16);
  constexpr uint64_t a_stage = Tile::a_elements * 2 >> 4, b_stage = Tile::b_elements * 2 >> 4;
  constexpr uint64_t a_part = 64 * Tile::k * 2 >> 4;
  RingPosition<Tile::stages> ring;
  int previous = 0;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait(s.full[ring.stage], ring.parity);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < Tile::k / 16; ++k)
#pragma unroll
      for (int i = 0; i < sums.parts; ++i)
        wgmma<a_mn_major, b_mn_major>(sums.d[i],
                                      a + ring.stage * a_stage + i * a_part + k * next_k16<a_mn_major>,
                                      b + ring.stage * b_stage + k * next_k16<b_mn_major>);
    wgmma_commit();
    wgmma_wait<1>();  // the chunk before is done: its stage may be filled again
    if (chunk > 0 && first_lane) arrive(s.empty[previous]);
    previous = ring.stage;
    ring.advance();
  }
#pragma unroll
  for (int i = 0; i < sums.parts; ++i) wgmma_finish(sums.d[i]);
}

}  // namespace eb::kernels::EB_BACKEND
