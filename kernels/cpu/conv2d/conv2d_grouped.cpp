// The rows of a block of channels are packed once as floats, with zeros around them: the inner loop
// (conv2d_grouped_rows) knows neither borders nor types, and small maps have no slow paths. Every sum has one
// order: same bits always.
//
// Milliseconds of one core (Zen 3), forward + backward-data + weight gradient, f32, batch 64, before
// (oneDNN 2.7, a weight gradient for each group) -> this. Depthwise 3x3, stride 2, 64 channels at 32x32: 102
// -> 8; 32 groups of 64 channels at 32x32: 445 -> 27, of 256 at 16x16: 53 -> 34; 8 groups of 96 at 32x32: 149
// -> 94.
#include "kernels/cpu/conv2d/conv2d_grouped.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/conv2d/conv2d_grouped_plan.h"
#include "kernels/cpu/conv2d/conv2d_grouped_rows.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels::cpu {
namespace {

using Direction = Conv2d::Direction;

// Channels of a group from which on other kernels may be better. Weight gradient of 256 channels at 16x16,
// batch 64, theirs against ours: groups of 8 22.3 and 13.7 ms, of 32 40.9 and 43.4, of 64 58 and 84.
constexpr int64_t least_dense_group = 16;

// Floats of one thread's scratch: packed inputs, a row of numbers, what the sums start from, a row of
// outputs.
struct RowScratch {
  explicit RowScratch(const GroupedPlan& a)
      : numbers(round(a.packed_inputs())),
        start(numbers + round(a.numbers())),
        result(start + round(a.block_slots)),
        floats(result + round(a.columns.out * a.block_slots)) {}
  static int64_t round(int64_t floats) { return ceil_div(floats, 16) * 16; }
  int64_t numbers, start, result, floats;
};

// Output row `row` of a block, to `out` (columns, step).
void convolve_residues(const GroupedPlan& a, GroupedRow call, int64_t row, int64_t first_row, float* out,
                       int64_t out_step) {
  const GroupedAxis &rows = a.rows, &columns = a.columns;
  const int64_t residue = rows.residue(row), in_begin = columns.inputs({0, columns.out}).begin;
  const float* in = call.in + (rows.first(row) - first_row) * a.in_row();
  const float* w = call.w + rows.before(residue) * columns.taps * a.planes() * lanes;
  call.rows = rows.count(residue);
  call.stride = columns.step();
  call.out_step = out_step * columns.residues();
  for (int64_t column = 0; column < std::min(columns.residues(), columns.out); ++column) {
    const int64_t of_column = columns.residue(column);
    call.in = in + (columns.first(column) - in_begin) * call.in_step;
    call.w = w + call.rows * columns.before(of_column) * a.planes() * lanes;
    call.out = out + column * out_step;
    call.taps = columns.count(of_column);
    call.columns = ceil_div(columns.out - column, columns.residues());
    convolve_row(call);
  }
}

// Rows [rows) of a block of one image; in and out: the image.
template <class T>
void run_task(const GroupedPlan& a, Range rows, Range block, const T* in, const float* packed, const float* b,
              T* out, const RowScratch& at, float* mine) {
  const Range reached = a.rows.inputs(rows), channels = a.channels(block);
  pack_grouped_rows(a, in, reached, block, mine + at.numbers, mine);
  float *start = mine + at.start, *result = mine + at.result;
  std::fill_n(start, a.block_slots, 0.f);
  if (b) slots_from_channels(a, block, 1, b + channels.begin, 0, start);
  GroupedRow call{.in = mine, .in_row = a.in_row(), .in_plane = a.in_plane(), .in_step = a.in_step()};
  call.w = packed + block.begin / lanes * a.vector_weights(), call.w_vector = a.vector_weights();
  call.start = start;
  call.vectors = block.size() / lanes;
  call.planes = a.planes();
  call.group_vectors = a.spread() ? 0 : a.group_slots() / lanes;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    T* to = out + row * a.columns.out * a.out_channels + channels.begin;
    if constexpr (std::is_same_v<T, float>)
      if (a.slots_are_channels()) {
        convolve_residues(a, call, row, reached.begin, to, a.out_channels);
        continue;
      }
    convolve_residues(a, call, row, reached.begin, result, a.block_slots);
    channels_from_slots(a, block, a.columns.out, result, to, a.out_channels);
  }
}

// Where weight (row tap, column tap) of output channel o and a plane lies in OHWI.
int64_t weight_at(const GroupedPlan& a, int64_t o, int64_t plane, int64_t r, int64_t s) {
  const bool flipped = a.rows.flipped;
  const int64_t k = flipped ? o / a.out_group * a.in_group + plane : o;
  const int64_t c = flipped ? o % a.out_group : plane, of_group = flipped ? a.out_group : a.in_group;
  return ((k * a.rows.taps + r) * a.columns.taps + s) * of_group + c;
}

// One vector of output slots, in the order of the calls.
template <class T>
void pack_vector(const GroupedPlan& a, int64_t vector, const T* w, float* to) {
  const auto value = [&](int64_t lane, int64_t plane, int64_t r, int64_t s) {
    const int64_t channel = a.channel_of(vector * lanes + lane);
    return channel < 0 ? 0.f : static_cast<float>(w[weight_at(a, channel, plane, r, s)]);
  };
  for (int64_t rho = 0; rho < a.rows.residues(); ++rho)
    for (int64_t sigma = 0; sigma < a.columns.residues(); ++sigma)
      for (int64_t r = 0; r < a.rows.count(rho); ++r)
        for (int64_t plane = 0; plane < a.planes(); ++plane)
          for (int64_t s = 0; s < a.columns.count(sigma); ++s, to += lanes)
            for (int64_t i = 0; i < lanes; ++i)
              to[i] = value(i, plane, a.rows.tap(rho, r), a.columns.tap(sigma, s));
}

}  // namespace

// Activations: always, but where oneDNN multiplies bf16, and depthwise channels that fill no vectors (37 at
// 32x32, batch 64: oneDNN's forward 2.0 ms, this 3.0). The weight gradient: groups that do not fill the tiles
// of the dense one.
bool is_grouped(const Conv2d::Params& p, Direction d) {
  if (p.groups == 1) return false;
  if (d == Direction::backward_weight) return std::min(p.c, p.k) / p.groups < least_dense_group;
  const bool partly_empty = p.groups == p.c && p.c == p.k && p.c > lanes && p.c % lanes != 0;
  return p.dtype == DType::bf16 ? !native_bf16() : !partly_empty;
}

size_t grouped_packed_bytes(const Conv2d::Params& p, Direction d) {
  const GroupedPlan a = grouped_plan(p, d);
  return a.vectors() * a.vector_weights() * sizeof(float);
}

void grouped_pack(const Conv2d::Params& p, Direction d, const void* w, void* packed, void*) {
  const GroupedPlan a = grouped_plan(p, d);
  by_dtype(p.dtype, [&]<class T>() {
    parallel_ranges(a.vectors(), a.vector_weights(), [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v)
        pack_vector(a, v, static_cast<const T*>(w), static_cast<float*>(packed) + v * a.vector_weights());
    });
  });
}

void grouped_run(const Conv2d::Params& p, Direction d, const void* in, const void* packed, const float* b,
                 void* out, void* workspace) {
  const GroupedPlan a = grouped_plan(p, d);
  const RowScratch at(a);
  const int64_t in_image = a.rows.in * a.columns.in * a.in_channels;
  const int64_t out_image = a.rows.out * a.columns.out * a.out_channels;
  const int64_t blocks = a.blocks(), tasks = a.row_blocks() * blocks;
  const int64_t outputs = a.block_rows * a.columns.out * a.block_slots;
  by_dtype(p.dtype, [&]<class T>() {
    parallel_ranges(a.n * tasks, outputs * (1 + a.taps() * a.planes() / 8), [&](int64_t begin, int64_t end) {
      float* mine = static_cast<float*>(workspace) + thread_index() * at.floats;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / tasks, row = i % tasks / blocks * a.block_rows;
        run_task(a, {row, std::min(a.rows.out, row + a.block_rows)}, a.block(i % blocks),
                 static_cast<const T*>(in) + image * in_image, static_cast<const float*>(packed), b,
                 static_cast<T*>(out) + image * out_image, at, mine);
      }
    });
  });
}

size_t grouped_workspace(const Conv2d::Params& p, Direction d) {
  return threads() * RowScratch(grouped_plan(p, d)).floats * sizeof(float);
}

}  // namespace eb::kernels::cpu
