// How a grouped convolution is seen by our kernels: vectors of output channels, and for each place in a group
// (a plane) the input channel that every output channel reads there. A depthwise convolution has one plane.
// Backward-data is the same with the roles of x and y exchanged and the kernel flipped; with a stride, the
// outputs of one remainder read the same taps and are a convolution of stride 1 among themselves.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/range.h"
#include "kernels/cpu/vec.h"

namespace eb::kernels::cpu {

// Outputs o along one axis. Taps 0 ... count(residue(o)) - 1 of output o meet inputs first(o), first(o) + 1,
// ...
struct GroupedAxis {
  int64_t out, in, taps, stride, pad;
  bool flipped;  // backward-data: out is x

  int64_t residues() const { return flipped ? stride : 1; }
  int64_t step() const { return flipped ? 1 : stride; }  // from output to output of one residue, on the input
  int64_t shift() const { return flipped ? pad : 0; }
  int64_t residue(int64_t o) const { return (o + shift()) % residues(); }
  int64_t count(int64_t residue) const { return residue < taps ? (taps - residue - 1) / residues() + 1 : 0; }
  int64_t before(int64_t residue) const {  // taps of the residues before it
    int64_t sum = 0;
    for (int64_t i = 0; i < residue; ++i) sum += count(i);
    return sum;
  }
  int64_t tap(int64_t residue, int64_t i) const {  // of the kernel as it is stored
    return flipped ? residue + (count(residue) - 1 - i) * stride : i;
  }
  int64_t first(int64_t o) const {
    return flipped ? (o + pad) / stride - (count(residue(o)) - 1) : o * stride - pad;
  }
  // Inputs that outputs [o.begin, o.end) may meet; some lie outside [0, in).
  Range inputs(Range o) const {
    if (flipped) return {(o.begin + pad) / stride - (count(0) - 1), (o.end - 1 + pad) / stride + 1};
    return {first(o.begin), first(o.end - 1) + taps};
  }
  int64_t most_inputs(int64_t outputs) const {
    return (outputs - 1) * step() / residues() + (residues() > 1) + count(0);
  }
};

// The inputs that the channels of a vector read at one place of their groups, if all vectors read alike.
struct Spread {
  bool same;
  alignas(64) int32_t index[lanes];
};

struct GroupedPlan {
  DType dtype;
  int64_t n;
  GroupedAxis rows, columns;
  int64_t in_channels, out_channels;
  int64_t in_group, out_group;       // channels of a group
  int64_t block_slots = 0;           // outputs of a task: these slots of
  int64_t block_rows = 0;            // these rows of one image
  std::vector<Spread> spreads = {};  // of the planes

  // Narrow groups share a vector; their inputs are spread out to planes that hold for every output channel
  // the number it reads. Otherwise a vector lies within one group, and its inputs are single numbers.
  bool spread() const { return out_group <= lanes / 2; }
  // Output channels have slots: lanes of vectors. A group that has vectors of its own may leave some empty.
  int64_t group_slots() const { return spread() ? out_group : ceil_div(out_group, lanes) * lanes; }
  int64_t slots() const { return ceil_div(out_channels / out_group * group_slots(), lanes) * lanes; }
  int64_t slot_of(int64_t channel) const { return channel / out_group * group_slots() + channel % out_group; }
  int64_t channel_of(int64_t slot) const {  // or -1
    const int64_t i = slot % group_slots(), channel = slot / group_slots() * out_group + i;
    return i < out_group && channel < out_channels ? channel : -1;
  }
  bool slots_are_channels() const { return slots() == out_channels; }
  Range block(int64_t i) const { return {i * block_slots, std::min(slots(), (i + 1) * block_slots)}; }
  Range channels(Range slots) const {  // spread blocks may begin within a group
    if (spread()) return {slots.begin, std::min(out_channels, slots.end)};
    return {slots.begin / group_slots() * out_group, slots.end / group_slots() * out_group};
  }
  Range inputs(Range channels) const {  // numbers of a pixel that the channels read
    return {channels.begin / out_group * in_group, ((channels.end - 1) / out_group + 1) * in_group};
  }

  int64_t planes() const { return in_group; }
  int64_t width() const { return columns.inputs({0, columns.out}).size(); }
  int64_t vectors() const { return slots() / lanes; }
  int64_t blocks() const { return ceil_div(slots(), block_slots); }
  int64_t row_blocks() const { return ceil_div(rows.out, block_rows); }
  int64_t taps() const { return rows.taps * columns.taps; }
  int64_t vector_weights() const { return taps() * planes() * lanes; }
  // Floats between neighbours of the packed inputs. Whole vectors are written.
  int64_t in_step() const { return spread() ? block_slots : block_slots / group_slots() * in_group; }
  int64_t in_plane() const { return spread() ? width() * in_step() + lanes : 1; }
  int64_t in_row() const { return spread() ? planes() * in_plane() : width() * in_step(); }
  int64_t packed_inputs() const { return rows.most_inputs(block_rows) * in_row(); }
  // One row as floats with a vector of slack, before it is spread.
  int64_t numbers() const {
    return spread() ? columns.in * ((block_slots / out_group + 2) * in_group) + 2 * lanes : 0;
  }
};

// What the kernels of neighbouring channels write and read in slots: copies of (pixels, channels) from and to
// (pixels, block_slots).
template <class From, class To>
void slots_from_channels(const GroupedPlan& a, Range block, int64_t pixels, const From* from,
                         int64_t from_step, To* to) {
  const Range channels = a.channels(block);
  const int64_t run = a.spread() ? channels.size() : a.out_group;
  for (int64_t i = 0; i < pixels; ++i, from += from_step, to += a.block_slots)
    for (int64_t c = 0, slot = 0; c < channels.size(); c += run, slot += a.group_slots())
      for (int64_t j = 0; j < run; ++j) to[slot + j] = from[c + j];
}
template <class From, class To>
void channels_from_slots(const GroupedPlan& a, Range block, int64_t pixels, const From* from, To* to,
                         int64_t to_step) {
  const Range channels = a.channels(block);
  const int64_t run = a.spread() ? channels.size() : a.out_group;
  for (int64_t i = 0; i < pixels; ++i, from += a.block_slots, to += to_step)
    for (int64_t c = 0, slot = 0; c < channels.size(); c += run, slot += a.group_slots())
      for (int64_t j = 0; j < run; ++j) to[c + j] = from[slot + j];
}

GroupedPlan grouped_plan(const Conv2d::Params&, Conv2d::Direction);

// to (row, plane, column, slot of the block), or without planes (row, column, number): rows [rows) of one
// image, which lies at `in`, with zeros around it. numbers: scratch.
void pack_grouped_rows(const GroupedPlan&, const void* in, Range rows, Range block, float* numbers,
                       float* to);

}  // namespace eb::kernels::cpu
