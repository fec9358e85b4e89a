// dw of depthwise and grouped convolutions. The rows of the batch are cut into parts by the shape alone,
// whose sums are added in order: same bits for any number of threads.

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/conv2d/conv2d_grouped.h"
#include "kernels/cpu/conv2d/conv2d_grouped_plan.h"
#include "kernels/cpu/conv2d/conv2d_grouped_rows.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels::cpu {
namespace {

using Direction = Conv2d::Direction;

// Parts of the batch: enough for 16 threads, unless their sums (this many bytes in all) cost more than they
// gain.
constexpr int64_t most_grouped_parts = 16, bytes_of_grouped_parts = 4 << 20;

struct GroupedWeightPlan : GroupedPlan {
  explicit GroupedWeightPlan(const Conv2d::Params& p)
      : GroupedPlan(grouped_plan(p, Direction::backward_weight)) {
    const int64_t affordable = bytes_of_grouped_parts / (sums() * static_cast<int64_t>(sizeof(float)));
    parts = std::clamp<int64_t>(affordable, 1, std::min(most_grouped_parts, units()));
  }
  int64_t parts;
  int64_t units() const { return n * row_blocks(); }  // of the batch, in order
  int64_t sums() const {
    return vectors() * vector_weights();
  }  // (vector, plane, row, tap, lanes), of a part
  bool dy_in_place() const { return dtype == DType::f32 && slots_are_channels(); }
  int64_t numbers_at() const { return ceil_div(packed_inputs(), 16) * 16; }
  int64_t dy_at() const { return numbers_at() + ceil_div(numbers(), 16) * 16; }
  int64_t floats_per_thread() const {
    return dy_at() + (dy_in_place() ? 0 : ceil_div(block_rows * columns.out * block_slots, 16) * 16);
  }
};

// The call of a block but for its vector and plane; where the kernel is a point, the planes are its rows.
GroupedTaps taps_call(const GroupedWeightPlan& a, int64_t rows) {
  GroupedTaps call{.x_row = a.rows.stride * a.in_row(), .x_step = a.columns.stride * a.in_step()};
  const bool point = a.taps() == 1;
  call.x_kernel_row = point ? a.in_plane() : a.in_row(), call.x_tap = a.in_step();
  call.rows = rows, call.columns = a.columns.out;
  call.kernel_rows = point ? a.planes() : a.rows.taps, call.taps = a.columns.taps;
  call.single = !a.spread();
  call.sums_row = a.columns.taps * lanes;
  return call;
}

// Adds the rows of one image to the sums of a block; x and dy: the image. The lanes without a channel get
// sums of whatever lies there.
template <class T>
void add_rows(const GroupedWeightPlan& a, Range rows, Range block, const T* x, const T* dy, float* mine,
              float* sums) {
  pack_grouped_rows(a, x, a.rows.inputs(rows), block, mine + a.numbers_at(), mine);
  dy += rows.begin * a.columns.out * a.out_channels + a.channels(block).begin;
  GroupedTaps call = taps_call(a, rows.size());
  const float* dy_numbers = mine + a.dy_at();
  call.dy_step = a.block_slots;
  if constexpr (std::is_same_v<T, float>)
    if (a.dy_in_place()) dy_numbers = dy, call.dy_step = a.out_channels;
  if (!a.dy_in_place())
    slots_from_channels(a, block, rows.size() * a.columns.out, dy, a.out_channels, mine + a.dy_at());
  call.dy_row = a.columns.out * call.dy_step;
  for (int64_t v = 0; v < block.size() / lanes; ++v)
    for (int64_t plane = 0; plane < (a.taps() == 1 ? 1 : a.planes()); ++plane) {
      const int64_t of_vector = a.spread() ? v * lanes : v * lanes / a.group_slots() * a.in_group;
      call.x = mine + of_vector + plane * a.in_plane();
      call.dy = dy_numbers + v * lanes;
      call.sums = sums + v * a.vector_weights() + plane * a.taps() * lanes;
      accumulate_taps(call);
    }
}

// dw (k, r, s, plane) <- the parts in order.
void add_grouped_parts(const GroupedWeightPlan& a, const float* sums, float* dw) {
  const int64_t taps = a.taps(), planes = a.planes();
  parallel_ranges(a.out_channels, taps * planes * a.parts, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t slot = a.slot_of(k);
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t plane = 0; plane < planes; ++plane) {
          const float* from =
              sums + slot / lanes * a.vector_weights() + (plane * taps + tap) * lanes + slot % lanes;
          float sum = *from;
          for (int64_t part = 1; part < a.parts; ++part) sum += from[part * a.sums()];
          dw[(k * taps + tap) * planes + plane] = sum;
        }
    }
  });
}

}  // namespace

size_t grouped_weight_workspace(const Conv2d::Params& p) {
  const GroupedWeightPlan a(p);
  return (align_up(a.parts * a.sums()) + threads() * a.floats_per_thread()) * sizeof(float);
}

void grouped_weight_gradient(const Conv2d::Params& p, const void* x, const void* dy, float* dw,
                             void* workspace) {
  const GroupedWeightPlan a(p);
  float *sums = static_cast<float*>(workspace), *scratch = sums + align_up(a.parts * a.sums());
  const int64_t blocks = a.blocks(), x_image = a.rows.in * a.columns.in * a.in_channels;
  const int64_t dy_image = a.rows.out * a.columns.out * a.out_channels;
  by_dtype(p.dtype, [&]<class T>() {
    parallel_for(a.parts * blocks, [&](int64_t task) {
      const int64_t part = task / blocks, block = task % blocks;
      const Range slots = a.block(block);
      float* mine = scratch + thread_index() * a.floats_per_thread();
      float* to = sums + part * a.sums() + slots.begin / lanes * a.vector_weights();
      std::fill_n(to, slots.size() / lanes * a.vector_weights(), 0.f);
      for (int64_t unit = a.units() * part / a.parts; unit < a.units() * (part + 1) / a.parts; ++unit) {
        const int64_t image = unit / a.row_blocks(), row = unit % a.row_blocks() * a.block_rows;
        add_rows(a, {row, std::min(a.rows.out, row + a.block_rows)}, slots,
                 static_cast<const T*>(x) + image * x_image, static_cast<const T*>(dy) + image * dy_image,
                 mine, to);
      }
    });
  });
  add_grouped_parts(a, sums, dw);
}

}  // namespace eb::kernels::cpu
