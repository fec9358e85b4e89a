// Which kernel computes a convolution, in which tiles and in how many slices of its sums. Host arithmetic on
// the shape and the card's limits alone: the same sums have the same bits on cards of as many processors, and
// `eb_engine bench policy` prints the choices without a card. The times behind them are predictions
// (docs/kernels.md).
#pragma once
#include <optional>

#include "kernels/conv2d.h"
#include "kernels/cuda/policy/device_limits.h"
#include "kernels/cuda/policy/remainder.h"

namespace eb::kernels::cuda {

// Rows by columns of the result that a block computes; wgmma: HopperTile, mma: LargeTile, MediumTile,
// SmallTile.
enum class ConvTile : uint8_t {
  wgmma_256x128,
  wgmma_128x128,
  wgmma_256x64,
  wgmma_128x64,
  mma_128x128,
  mma_128x64,
  mma_64x64
};

struct TileFacts {
  const char* name;
  int m, n;
  int steps;     // of the reduction in a stage, in bf16; of one-byte codes twice as many
  int resident;  // blocks that share an SM
  int64_t rate;  // FLOPs a clock that an SM multiplies, of 4,096, when nothing waits for memory
  bool wgmma;
};
const TileFacts& facts_of(ConvTile);

// What one launch multiplies: rows by `column_runs` times `columns` results, each a sum over `depth_runs`
// times `depth`. wgmma pads every run to whole tiles and stages; mma goes over all runs without a gap.
struct ConvGemm {
  int64_t rows, columns, column_runs, depth, depth_runs, groups = 1;
  int64_t results() const { return rows * columns * column_runs * groups; }
  int64_t macs() const { return results() * depth * depth_runs; }
};
ConvGemm forward_gemm(const Conv2d::Params&);  // rows are pixels, depth runs over taps
ConvGemm backward_data_gemm(const Conv2d::Params&, const Remainder& i, const Remainder& j);
ConvGemm backward_weight_gemm(const Conv2d::Params&);  // rows are filters, column runs are taps

struct ConvLaunch {
  ConvTile tile;
  int64_t slices = 1;  // of the reduction, added in order
  int64_t chunks = 0;  // stages a slice sums; the last may have fewer
  int64_t blocks = 0;  // of all slices
  int64_t clocks = 0;  // predicted
};

// The fastest wgmma launch of forward or backward-data by prediction. element_bytes: of an operand, 2 or 1.
// The reduction is cut into slices only where `may_slice`.
ConvLaunch wgmma_launch(const ConvGemm&, const DeviceLimits&, int element_bytes, bool may_slice);
// The same of a bf16 weight gradient.
ConvLaunch wgmma_weight_launch(const Conv2d::Params&, const DeviceLimits&);
// The mma launch of forward or backward-data. wide: operands are copied 16 bytes at a time; narrow copies
// take the small tile.
ConvLaunch mma_launch(const ConvGemm&, const DeviceLimits&, int element_bytes, bool wide);
// The slices of a weight gradient in a tile, whose reduction has `all` stages.
ConvLaunch sliced_launch(const ConvGemm&, ConvTile, const DeviceLimits&, int64_t all);

// Whether forward or backward-data may cut the reduction on wgmma: what adds the slices knows no strides.
inline bool may_slice(const Conv2d::Params& p) {
  return p.stride_h == 1 && p.stride_w == 1;
}

// Whether the convolution runs on wgmma: it can (one group, what the copy unit addresses), and is predicted
// to be no slower than on mma. The second: of codes, forward and backward-data.
bool hopper_suits(const Conv2d::Params&, Conv2d::Direction, const DeviceLimits&);
bool int8_hopper_suits(const Conv2d::Params&, Conv2d::Direction, const DeviceLimits&);

// All launches of a bf16 convolution, as predicted: what `bench policy` prints.
struct ConvPrediction {
  ConvTile tile;       // of the launch with the most work
  int64_t slices = 1;  // likewise
  double waves = 0;    // blocks of that launch / blocks that the card holds at once
  int64_t clocks = 0;  // of all launches, adding slices included
};
ConvPrediction predict(const Conv2d::Params&, Conv2d::Direction, const DeviceLimits&);
// Of the card's 4,096 FLOPs a clock and SM, how many a prediction reaches: memory's bandwidth counts, too.
double predicted_share(const Conv2d::Params&, Conv2d::Direction, const DeviceLimits&);

// Until it ends every convolution that can runs in this tile, in so many slices where it may be sliced (0: as
// predicted): tests reach each kernel at shapes that they can afford. Not for two threads.
class ForcedTile {
 public:
  explicit ForcedTile(ConvTile tile, int64_t slices = 0);
  ~ForcedTile();
  ForcedTile(const ForcedTile&) = delete;
  ForcedTile& operator=(const ForcedTile&) = delete;

  struct Choice {
    ConvTile tile;
    int64_t slices;
  };

 private:
  std::optional<Choice> before_;
};

}  // namespace eb::kernels::cuda
