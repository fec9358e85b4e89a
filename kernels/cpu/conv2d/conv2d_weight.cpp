// Weight gradient as an outer product over positions. Blocks are packed with the channels of a tile adjacent
// and the images innermost: a kernel tap is then a few long runs of positions, padding is never multiplied
// and nothing is unfolded. The batch is cut into parts by the shape alone, their sums are added in order:
// same bits for any threads.
//
// GFLOP/s of two cores, padding counted, oneDNN 2.6 -> this: 64x64 h32 127 -> 156; 128x128 h16 140 -> 180;
// 256x256 h8 144 -> 200; 512x512 h4 129 -> 232; 512x512 h2 73 -> 323; 1x1 64x256 h8 126 -> 144. Behind only
// where x has three channels (3x16 h32: 1.4 -> 4.5 ms of one core).
#include "kernels/cpu/conv2d/conv2d_weight.h"

#include "kernels/cpu/conv2d/conv2d_weight_plan.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels::cpu {
namespace {

// One thread's share of a block: packed operands, where the panels start and how far apart things lie, in
// floats.
struct Operands {
  const float *x, *dy;
  int64_t x_panel, dy_panel;  // from panel to panel
  int64_t x_step, dy_step;    // from position to position
};

// All tiles of tap (r, s) over a block: sums (k, taps, c_padded) += dy^T x.
class Block {
 public:
  Block(const WeightPlan& plan, const WeightBlock& block, Range panels, const Operands& operands, float* sums)
      : a_(plan), b_(block), panels_(panels), in_(operands), sums_(sums), images_(block.n.size()) {}

  void run() const {
    for (int64_t panel = panels_.begin; panel < panels_.end; ++panel)
      for (int64_t k = 0; k < a_.k; k += tile_k)
        for (int64_t tap = 0; tap < a_.taps(); ++tap) multiply(panel, k, tap);
  }

 private:
  void multiply(int64_t panel, int64_t k, int64_t tap) const {
    const int64_t r = tap / a_.s, s = tap % a_.s;
    const Range p = reached(b_.p, a_.stride_h, r, a_.pad_h, a_.h);
    const Range q = reached({0, a_.out_w}, a_.stride_w, s, a_.pad_w, a_.w);
    if (p.size() <= 0 || q.size() <= 0) return;
    const int64_t h = p.begin * a_.stride_h + r - a_.pad_h - b_.h.begin;
    const int64_t w = q.begin * a_.stride_w + s - a_.pad_w;
    const float* x = in_.x + (panel - panels_.begin) * in_.x_panel + (h * a_.w + w) * images_ * in_.x_step;
    const float* dy = in_.dy + k / tile_k * in_.dy_panel +
                      ((p.begin - b_.p.begin) * a_.out_w + q.begin) * images_ * in_.dy_step;
    const int64_t channels = a_.c_padded() - panel * tile_c;
    const Accumulate f = accumulate_table[std::min<int64_t>(tile_k, a_.k - k) - 1][channels > lanes];
    Walk steps = walk(p, q);
    // The first tile to touch an operand fetches it for the next block; packed operands have been touched
    // already.
    if (a_.x_in_place && k == 0 && tap == 0) steps.x_ahead = steps.rows * steps.run * steps.x_step;
    if (a_.dy_in_place && panel == panels_.begin && tap == 0)
      steps.dy_ahead = steps.rows * steps.run * steps.dy_step;
    f(steps, x, dy, sums_ + (k * a_.taps() + tap) * a_.c_padded() + panel * tile_c,
      a_.taps() * a_.c_padded());
  }
  Walk walk(Range p, Range q) const {
    Walk w{.rows = p.size(), .run = q.size() * images_};
    w.x_step = a_.stride_w * in_.x_step, w.dy_step = in_.dy_step;
    w.x_row = a_.stride_h * a_.w * images_ * in_.x_step;
    w.dy_row = a_.out_w * images_ * in_.dy_step;
    if (w.x_row != w.run * w.x_step || w.dy_row != w.run * w.dy_step) return w;
    w.run *= w.rows, w.rows = 1;
    return w;
  }

  const WeightPlan& a_;
  const WeightBlock& b_;
  Range panels_;
  const Operands& in_;
  float* sums_;
  int64_t images_;
};

// Reads a block in place or packs it, then multiplies.
void run_block(const WeightPlan& a, int64_t g, const WeightBlock& b, Range panels, const void* x,
               const void* dy, float* packed, float* sums) {
  float *packed_x = packed, *packed_dy = packed + a.x_floats();
  Operands in{packed_x, packed_dy, a.x_panel(), a.dy_panel(), tile_c, tile_k};
  if (a.x_in_place) {
    in.x = static_cast<const float*>(x) + ((b.n.begin * a.h + b.h.begin) * a.w) * a.p.c + g * a.c +
           panels.begin * tile_c;
    in.x_panel = tile_c, in.x_step = a.p.c;
  } else {
    pack_x(a, g, b, panels, x, packed_x);
    if (a.unfold) in.x += panels.begin * tile_c, in.x_panel = tile_c, in.x_step = a.unfolded_step();
  }
  if (a.dy_in_place) {
    in.dy = static_cast<const float*>(dy) + ((b.n.begin * a.out_h + b.p.begin) * a.out_w) * a.p.k + g * a.k;
    in.dy_panel = tile_k, in.dy_step = a.p.k;
  } else {
    pack_dy(a, g, b, dy, packed_dy);
  }
  Block(a, b, panels, in, sums).run();
}

WeightBlock block_at(const WeightPlan& a, Range n, Range p) {
  const int64_t first = p.begin * a.stride_h - a.pad_h, last = (p.end - 1) * a.stride_h + a.r - 1 - a.pad_h;
  const Range h{std::clamp<int64_t>(first, 0, a.h), std::clamp<int64_t>(last + 1, 0, a.h)};
  return {n, p, h};
}

// Sums of images n over the channel panels.
void run_part(const WeightPlan& a, int64_t g, Range n, Range panels, const void* x, const void* dy,
              float* packed, float* sums) {
  if (panels.size() <= 0) return;
  const int64_t begin = panels.begin * tile_c, end = std::min(panels.end * tile_c, a.c_padded());
  for (int64_t row = 0; row < a.k * a.taps(); ++row)
    std::fill(sums + row * a.c_padded() + begin, sums + row * a.c_padded() + end, 0.f);
  for (int64_t i = n.begin; i < n.end; i += a.images)
    for (int64_t p = 0; p < a.out_h; p += a.rows) {
      const WeightBlock b =
          block_at(a, {i, std::min(n.end, i + a.images)}, {p, std::min(a.out_h, p + a.rows)});
      run_block(a, g, b, panels, x, dy, packed, sums);
    }
}

int64_t floats_per_thread(const WeightPlan& a) {
  return ceil_div(a.x_floats() + a.dy_floats(), 16) * 16;
}

}  // namespace

size_t weight_gradient_workspace(const Conv2d::Params& p) {
  const WeightPlan a = weight_plan(p);
  const int64_t sums = a.sums_are_dw() ? 0 : a.parts * a.sums();
  return align_up(sums * sizeof(float)) + threads() * floats_per_thread(a) * sizeof(float);
}

void weight_gradient(const Conv2d::Params& p, const void* x, const void* dy, float* dw, void* workspace) {
  const WeightPlan a = weight_plan(p);
  float* sums = a.sums_are_dw() ? dw : static_cast<float*>(workspace);
  float* packed =
      static_cast<float*>(workspace) + (a.sums_are_dw() ? 0 : align_up(a.parts * a.sums() * 4) / 4);
  // Two tasks per thread: channel panels are split where the batch parts are too few. This never changes a
  // sum.
  const int64_t splits = std::min(a.c_panels(), ceil_div(2 * threads(), a.parts));
  const int64_t images = ceil_div(ceil_div(a.n, a.images), a.parts) * a.images;
  const int64_t panels = ceil_div(a.c_panels(), splits);
  for (int64_t g = 0; g < p.groups; ++g) {
    parallel_for(a.parts * splits, [&](int64_t task) {
      const int64_t part = task / splits, split = task % splits;
      const Range n{std::min(a.n, part * images), std::min(a.n, (part + 1) * images)};
      const Range c{std::min(a.c_panels(), split * panels), std::min(a.c_panels(), (split + 1) * panels)};
      float* mine = packed + thread_index() * floats_per_thread(a);
      run_part(a, g, n, c, x, dy, mine, sums + part * a.sums());
    });
    if (!a.sums_are_dw()) add_parts(a, sums, dw + g * a.k * a.taps() * a.c);
  }
}

}  // namespace eb::kernels::cpu
