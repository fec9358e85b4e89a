#include "kernels/cuda/policy/conv2d_policy.h"

#include <algorithm>
#include <utility>

namespace eb::kernels::cuda {

namespace {

constexpr int64_t least_chunks = 8;   // of a slice, or filling the pipeline costs more than it saves
constexpr int64_t most_slices = 128;  // of a weight gradient
constexpr int64_t most_map_slices = 16;
constexpr int64_t most_layers = 65'535;  // of a grid: groups by slices
constexpr int64_t worth_percent = 98;    // of the clocks with fewer slices: more of them take memory, too

// An H200 by its data sheet and by what others measured of its like, a clock of 1.83 GHz. Predictions until a
// card has measured them.
constexpr double peak_rate = 4096;              // FLOPs a clock of an SM's tensor cores in bf16
constexpr int64_t memory_bytes_a_clock = 2350;  // 4.3 TB/s
constexpr int64_t l2_bytes_a_clock = 4422;      // all SMs together: 8.1 TB/s
constexpr int64_t most_bytes_a_clock = 64;      // into one SM
constexpr int64_t fill_clocks = 1500;           // from the launch of a block to its first multiply
constexpr int64_t store_bytes_a_clock = 18;     // out of one SM: its share of the memory's bandwidth
constexpr int64_t held_by_l2 = 30'000'000;      // of 50 MB
constexpr int64_t lone_percent = 125;           // a block that has no other on its SM to hide behind
constexpr int64_t sum_launch_clocks = 4000;     // the launch that adds slices, beside its bytes

// Rates: 0.75 of 4,096 is what the loops of others reach; tiles of 64 columns are bound by shared memory, 203
// and 219 bytes a clock at full rate where 128 are to be had; mma.sync reaches 0.35 in kernels like ours,
// less in smaller tiles, whose threads load more a multiply.
constexpr TileFacts facts[] = {
    {"wgmma 256x128", 256, 128, 64, 1, 3072, true}, {"wgmma 128x128", 128, 128, 64, 2, 3072, true},
    {"wgmma 256x64", 256, 64, 64, 2, 2580, true},   {"wgmma 128x64", 128, 64, 64, 2, 2394, true},
    {"mma 128x128", 128, 128, 32, 2, 1434, false},  {"mma 128x64", 128, 64, 32, 4, 1229, false},
    {"mma 64x64", 64, 64, 32, 7, 983, false},
};

std::optional<ForcedTile::Choice> forced;

constexpr int64_t whole(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t column_tiles_of(const ConvGemm& g, const TileFacts& t) {
  return t.wgmma ? g.column_runs * whole(g.columns, t.n) : whole(g.column_runs * g.columns, t.n);
}

int64_t chunks_of(const ConvGemm& g, const TileFacts& t, int element_bytes) {
  const int64_t steps = t.steps * 2 / element_bytes;
  return t.wgmma ? g.depth_runs * whole(g.depth, steps) : whole(g.depth_runs * g.depth, steps);
}

// What a stage brings from L2, on average: rows, columns and channels that do not exist are filled with zeros
// and read from nowhere.
int64_t stage_bytes(const ConvGemm& g, const TileFacts& t, int64_t all, int element_bytes) {
  const int64_t column_tiles = column_tiles_of(g, t);
  const int64_t operands = g.rows / whole(g.rows, t.m) + g.column_runs * g.columns / column_tiles;
  return operands * (g.depth * g.depth_runs / std::max<int64_t>(all, 1)) * element_bytes;
}

// `slices` of `all` stages each for the tiles of g. An SM works off whole blocks, those of a card with few of
// them have more of the L2 each; what fills and empties a block, and what it waits for, hides behind another
// one on the same SM.
ConvLaunch launch(const ConvGemm& g, ConvTile tile, const DeviceLimits& limits, int64_t all, int64_t slices,
                  int element_bytes) {
  const TileFacts& t = facts_of(tile);
  ConvLaunch l{.tile = tile};
  l.chunks = whole(all, slices);
  l.slices = all > 0 ? whole(all, l.chunks) : 1;
  l.blocks = whole(g.rows, t.m) * column_tiles_of(g, t) * g.groups * l.slices;
  const int64_t active = std::min(l.blocks, limits.processors), turns = whole(l.blocks, limits.processors);
  const int64_t bytes_a_clock = std::min(most_bytes_a_clock, l2_bytes_a_clock / std::max<int64_t>(active, 1));
  int64_t stage = std::max(int64_t{2} * t.m * t.n * t.steps / t.rate,
                           stage_bytes(g, t, all, element_bytes) / bytes_a_clock);
  if (t.resident > 1 && turns == 1) stage = stage * lone_percent / 100;
  const int64_t ends = fill_clocks + int64_t{2} * t.m * t.n / store_bytes_a_clock;
  l.clocks = turns * l.chunks * stage + (t.resident > 1 ? 1 : turns) * ends;
  if (l.slices > 1) {  // written and read, and once more for the moments that slices do not leave
    const int64_t partial = 4 * l.slices * g.results();
    l.clocks += sum_launch_clocks + (2 * partial + 2 * g.results()) /
                                        (partial < held_by_l2 ? l2_bytes_a_clock : memory_bytes_a_clock);
  }
  return l;
}

ConvLaunch best_slices(const ConvGemm& g, ConvTile tile, const DeviceLimits& limits, int64_t all,
                       int64_t most, int element_bytes) {
  if (forced && forced->slices > 0 && most > 1)
    return launch(g, tile, limits, all, std::clamp<int64_t>(forced->slices, 1, std::max<int64_t>(all, 1)),
                  element_bytes);
  most = std::min({most, all / least_chunks, most_layers / g.groups});
  ConvLaunch best = launch(g, tile, limits, all, 1, element_bytes);
  for (int64_t slices = 2; slices <= most; ++slices)
    if (const ConvLaunch l = launch(g, tile, limits, all, slices, element_bytes);
        l.clocks * 100 < best.clocks * worth_percent)
      best = l;
  return best;
}

bool forced_to(bool wgmma) {
  return forced && facts_of(forced->tile).wgmma == wgmma;
}

ConvLaunch best_wgmma(const ConvGemm& g, const DeviceLimits& limits, int element_bytes, int64_t most,
                      std::initializer_list<ConvTile> tiles) {
  std::optional<ConvLaunch> best;
  for (const ConvTile tile : tiles) {
    const ConvLaunch l =
        best_slices(g, tile, limits, chunks_of(g, facts_of(tile), element_bytes), most, element_bytes);
    if (!best || l.clocks < best->clocks) best = l;
  }
  return *best;
}

// What the copy unit can address whatever the type: one group, strides and corners of its fields.
bool hopper_possible(const Conv2d::Params& p, const DeviceLimits& limits) {
  const auto below = [](int64_t end, std::initializer_list<int64_t> values) {
    return std::max(values) < end;
  };
  return limits.wgmma && p.groups == 1 && below(9, {p.stride_h, p.stride_w}) && below(129, {p.r, p.s}) &&
         below(128, {p.pad_h, p.pad_w}) && below(most_layers + 1, {p.r * p.s * whole(p.c, 64)}) &&
         below(int64_t{1} << 31, {p.n * p.h * p.w, p.n * p.out_h() * p.out_w()});
}

// Of launches one after the other.
struct Prediction {
  explicit Prediction(const DeviceLimits& l) : processors(l.processors) {}
  void add(const ConvLaunch& l, int64_t work) {
    all.clocks += l.clocks;
    if (work < most) return;
    most = work;
    all.tile = l.tile;
    all.slices = l.slices;
    all.waves = static_cast<double>(l.blocks) / static_cast<double>(processors * facts_of(l.tile).resident);
  }
  ConvPrediction all{};
  int64_t processors, most = 0;
};

// f(gemm) for every launch of forward or backward-data.
template <class F>
void for_each_gemm(const Conv2d::Params& p, Conv2d::Direction d, F&& f) {
  if (d == Conv2d::Direction::forward) return f(forward_gemm(p));
  for_each_remainder(p, [&](const Remainder& i, const Remainder& j) { f(backward_data_gemm(p, i, j)); });
}

ConvPrediction on_wgmma(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits, int bytes) {
  Prediction sum(limits);
  if (d == Conv2d::Direction::backward_weight)
    sum.add(wgmma_weight_launch(p, limits), 1);
  else
    for_each_gemm(p, d, [&](const ConvGemm& g) {
      sum.add(wgmma_launch(g, limits, bytes, bytes == 2 && may_slice(p)), g.macs());
    });
  return sum.all;
}

ConvPrediction on_mma(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits, int bytes) {
  Prediction sum(limits);
  const bool wide = p.c / p.groups % 8 == 0 && p.k / p.groups % 8 == 0;
  if (d == Conv2d::Direction::backward_weight) {
    const ConvGemm g = backward_weight_gemm(p);
    const ConvTile tile = wide && g.rows > 64 ? ConvTile::mma_128x64 : ConvTile::mma_64x64;
    sum.add(sliced_launch(g, tile, limits, chunks_of(g, facts_of(tile), 2)), 1);
  } else {
    for_each_gemm(p, d, [&](const ConvGemm& g) { sum.add(mma_launch(g, limits, bytes, wide), g.macs()); });
  }
  return sum.all;
}

bool suits(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits, int bytes) {
  if (!hopper_possible(p, limits)) return false;
  if (forced) return facts_of(forced->tile).wgmma;
  return on_wgmma(p, d, limits, bytes).clocks <= on_mma(p, d, limits, bytes).clocks;
}

}  // namespace

const TileFacts& facts_of(ConvTile tile) {
  return facts[static_cast<int>(tile)];
}

ConvGemm forward_gemm(const Conv2d::Params& p) {
  return {p.n * p.out_h() * p.out_w(), p.k / p.groups, 1, p.c / p.groups, p.r * p.s, p.groups};
}
ConvGemm backward_data_gemm(const Conv2d::Params& p, const Remainder& i, const Remainder& j) {
  return {p.n * i.pixels * j.pixels, p.c / p.groups, 1, p.k / p.groups, i.taps * j.taps, p.groups};
}
ConvGemm backward_weight_gemm(const Conv2d::Params& p) {
  return {p.k / p.groups, p.c / p.groups, p.r * p.s, p.n * p.out_h() * p.out_w(), 1, p.groups};
}

ConvLaunch wgmma_launch(const ConvGemm& g, const DeviceLimits& limits, int element_bytes, bool may_slice) {
  using enum ConvTile;
  const int64_t most = may_slice ? most_map_slices : 1;
  if (forced_to(true)) return best_wgmma(g, limits, element_bytes, most, {forced->tile});
  return best_wgmma(g, limits, element_bytes, most,
                    {wgmma_256x128, wgmma_128x128, wgmma_256x64, wgmma_128x64});
}

ConvLaunch wgmma_weight_launch(const Conv2d::Params& p, const DeviceLimits& limits) {
  using enum ConvTile;
  const ConvGemm g = backward_weight_gemm(p);
  if (forced_to(true))
    return best_wgmma(g, limits, 2, most_slices,
                      {facts_of(forced->tile).n == 128 ? wgmma_128x128 : wgmma_128x64});
  return best_wgmma(g, limits, 2, most_slices, {wgmma_128x128, wgmma_128x64});
}

ConvLaunch mma_launch(const ConvGemm& g, const DeviceLimits& limits, int element_bytes, bool wide) {
  const auto in = [&](ConvTile tile) {
    return launch(g, tile, limits, chunks_of(g, facts_of(tile), element_bytes), 1, element_bytes);
  };
  if (!wide) return in(ConvTile::mma_64x64);
  if (forced_to(false)) return in(forced->tile);
  const ConvLaunch large = in(ConvTile::mma_128x128), medium = in(ConvTile::mma_128x64);
  if (g.columns > 64 && large.blocks >= limits.processors) return large;
  return medium.blocks >= limits.processors ? medium : in(ConvTile::mma_64x64);
}

ConvLaunch sliced_launch(const ConvGemm& g, ConvTile tile, const DeviceLimits& limits, int64_t all) {
  return best_slices(g, tile, limits, all, most_slices, 2);
}

bool hopper_suits(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits) {
  return p.dtype == DType::bf16 && p.c % 8 == 0 && p.k % 8 == 0 && suits(p, d, limits, 2);
}

bool int8_hopper_suits(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits) {
  return p.c % 16 == 0 && p.k % 16 == 0 && suits(p, d, limits, 1);
}

ConvPrediction predict(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits) {
  return hopper_suits(p, d, limits) ? on_wgmma(p, d, limits, 2) : on_mma(p, d, limits, 2);
}

double predicted_share(const Conv2d::Params& p, Conv2d::Direction d, const DeviceLimits& limits) {
  const int64_t x = p.n * p.h * p.w * p.c, y = p.n * p.out_h() * p.out_w() * p.k,
                w = p.k * p.r * p.s * (p.c / p.groups);
  const int64_t bytes = 2 * (x + y) + (d == Conv2d::Direction::backward_weight ? 4 : 2) * w;
  const int64_t clocks = std::max(predict(p, d, limits).clocks, bytes / memory_bytes_a_clock);
  return static_cast<double>(2 * forward_gemm(p).macs()) /
         (static_cast<double>(clocks) * static_cast<double>(limits.processors) * peak_rate);
}

ForcedTile::ForcedTile(ConvTile tile, int64_t slices)
    : before_(std::exchange(forced, Choice{tile, slices})) {}
ForcedTile::~ForcedTile() {
  forced = before_;
}

}  // namespace eb::kernels::cuda
