#include "kernels/cpu/conv2d/conv2d_grouped_plan.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/convert.h"

namespace eb::kernels::cpu {
namespace {

using Direction = Conv2d::Direction;

// Inputs of one output row, and of all rows of a task: the first stay in L1, the others in L2.
constexpr int64_t row_bytes = 28 << 10, block_bytes = 96 << 10;
// The weight gradient reads its inputs once a tap.
constexpr int64_t weight_row_bytes = 12 << 10, weight_block_bytes = 32 << 10;
constexpr int64_t line = 16;  // floats of a cache line, and one or two vectors

// Blocks of about the same number of slots.
void choose_grouped_block(GroupedPlan& a, int64_t row_budget, int64_t block_budget) {
  const int64_t unit = a.spread() ? std::min(line, a.slots()) : a.group_slots(), of_float = sizeof(float);
  a.block_slots = unit;
  const int64_t units = ceil_div(a.slots(), unit);
  const int64_t fit = std::clamp<int64_t>(row_budget / (a.in_row() * of_float * a.rows.count(0)), 1, units);
  a.block_slots = ceil_div(units, ceil_div(units, fit)) * unit;
  const int64_t rows = block_budget / (a.in_row() * of_float);
  const int64_t outputs = (rows - a.rows.count(0)) / a.rows.step() * a.rows.residues();
  a.block_rows = ceil_div(a.rows.out, ceil_div(a.rows.out, std::clamp<int64_t>(outputs, 1, a.rows.out)));
}

Spread spread_of(const GroupedPlan& a, int64_t plane) {
  Spread s{.same = lanes % a.out_group == 0 && a.in_group <= a.out_group};
  for (int64_t i = 0; i < lanes && s.same; ++i)
    s.index[i] = static_cast<int32_t>(i / a.out_group * a.in_group + plane);
  return s;
}

// to (pixels, slots) <- the number of `plane` in each channel's group. from (pixels, step): of the first
// channel's group, with a vector of slack.
void spread_plane(const GroupedPlan& a, Range channels, int64_t plane, int64_t pixels, const float* from,
                  int64_t from_step, float* to) {
  const Spread& s = a.spreads[plane];
  if (s.same) {
    const VecIndex index = load_index(s.index);
    const int64_t step = lanes / a.out_group * a.in_group, vectors = ceil_div(channels.size(), lanes);
    for (int64_t i = 0; i < pixels; ++i, from += from_step, to += a.block_slots)
      for (int64_t v = 0; v < vectors; ++v) store(to + v * lanes, permute(load(from + v * step), index));
    return;
  }
  for (int64_t i = 0; i < pixels; ++i, from += from_step, to += a.block_slots) {
    const float* number = from + plane;
    if (a.out_group == 1) {
      for (int64_t c = 0; c < channels.size(); ++c) to[c] = number[c * a.in_group];
      continue;
    }
    for (int64_t c = channels.begin; c < channels.end; number += a.in_group) {
      store(to + c - channels.begin, broadcast(*number));
      c = std::min(channels.end, (c / a.out_group + 1) * a.out_group);
    }
  }
}

// (pixels, count) as floats. step: between pixels, of both.
struct Numbers {
  const float* at;
  int64_t step;
};
// Where they lie if vectors read nothing else.
Numbers numbers_of(const GroupedPlan& a, const float* x, int64_t pixels, int64_t count, float* space) {
  if (a.in_group == a.out_group && count % lanes == 0) return {x, a.in_channels};
  for (int64_t i = 0; i < pixels; ++i) std::copy_n(x + i * a.in_channels, count, space + i * count);
  return {space, count};
}
Numbers numbers_of(const GroupedPlan& a, const bf16* x, int64_t pixels, int64_t count, float* space) {
  for (int64_t i = 0; i < pixels; ++i) to_f32(count, x + i * a.in_channels, space + i * count);
  return {space, count};
}

// to (pixels, step) <- x (pixels, in_channels), some of the channels.
void copy_pixels(const GroupedPlan& a, const float* x, int64_t pixels, int64_t count, int64_t step,
                 float* to) {
  if (count == step && count == a.in_channels)
    std::copy_n(x, pixels * count, to);
  else
    for (int64_t i = 0; i < pixels; ++i) std::copy_n(x + i * a.in_channels, count, to + i * step);
}
void copy_pixels(const GroupedPlan& a, const bf16* x, int64_t pixels, int64_t count, int64_t step,
                 float* to) {
  for (int64_t i = 0; i < pixels; ++i) to_f32(count, x + i * a.in_channels, to + i * step);
}

// One row; x: its first pixel. Zeros come last: whole vectors are written.
template <class T>
void pack_grouped_row(const GroupedPlan& a, const T* x, Range channels, float* space, float* to) {
  const Range inputs = a.inputs(channels), reached = a.columns.inputs({0, a.columns.out});
  const Range inside{std::max<int64_t>(0, reached.begin), std::min(a.columns.in, reached.end)};
  const int64_t step = a.in_step(), planes = a.spread() ? a.planes() : 1;
  const int64_t before = std::clamp<int64_t>(-reached.begin, 0, reached.size());
  const int64_t behind = std::clamp(inside.end - reached.begin, before, reached.size());
  x += inside.begin * a.in_channels + inputs.begin;
  if (!a.spread() || (planes == 1 && a.out_group == 1)) {
    copy_pixels(a, x, inside.size(), inputs.size(), step, to + before * step);
  } else {
    const Numbers from = numbers_of(a, x, inside.size(), inputs.size(), space);
    for (int64_t plane = 0; plane < planes; ++plane)
      spread_plane(a, channels, plane, inside.size(), from.at, from.step,
                   to + plane * a.in_plane() + before * step);
  }
  for (int64_t plane = 0; plane < planes; ++plane, to += a.in_plane()) {
    std::fill(to, to + before * step, 0.f);
    std::fill(to + behind * step, to + reached.size() * step, 0.f);
  }
}

}  // namespace

GroupedPlan grouped_plan(const Conv2d::Params& p, Direction d) {
  const bool flipped = d == Direction::backward_data;
  const auto axis = [&](int64_t x, int64_t y, int64_t taps, int64_t stride, int64_t pad) {
    return flipped ? GroupedAxis{x, y, taps, stride, pad, true} : GroupedAxis{y, x, taps, stride, pad, false};
  };
  GroupedPlan a{.dtype = p.dtype,
                .n = p.n,
                .rows = axis(p.h, p.out_h(), p.r, p.stride_h, p.pad_h),
                .columns = axis(p.w, p.out_w(), p.s, p.stride_w, p.pad_w)};
  a.in_channels = flipped ? p.k : p.c;
  a.out_channels = flipped ? p.c : p.k;
  a.in_group = a.in_channels / p.groups;
  a.out_group = a.out_channels / p.groups;
  const bool weight = d == Direction::backward_weight;
  if (a.spread())
    for (int64_t plane = 0; plane < a.planes(); ++plane) a.spreads.push_back(spread_of(a, plane));
  choose_grouped_block(a, weight ? weight_row_bytes : row_bytes, weight ? weight_block_bytes : block_bytes);
  return a;
}

void pack_grouped_rows(const GroupedPlan& a, const void* in, Range rows, Range block, float* numbers,
                       float* to) {
  const Range channels = a.channels(block);
  by_dtype(a.dtype, [&]<class T>() {
    for (int64_t row = rows.begin; row < rows.end; ++row, to += a.in_row()) {
      if (row < 0 || row >= a.rows.in)
        std::fill_n(to, a.in_row(), 0.f);
      else
        pack_grouped_row(a, static_cast<const T*>(in) + row * a.columns.in * a.in_channels, channels, numbers,
                         to);
    }
  });
}

}  // namespace eb::kernels::cpu
