// Linear layers on oneDNN's sgemm. Work is cut by the shape alone and each piece is single-threaded with its
// whole reduction inside: same bits for any number of threads. bf16 goes through f32 copies and is rounded
// once.
#include "kernels/linear.h"

#include <dnnl.h>

#include "kernels/cpu/bias.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels {
namespace {

using namespace cpu;

// A piece of at least this many multiply-adds (some 20 us of one core) outweighs the hand-over to a thread.
constexpr int64_t piece_work = 1 << 20;
constexpr int64_t most_pieces = 16, row_multiple = 16;

// c (m, n) = op(a) (m, k) op(b) (k, n), row-major.
struct Gemm {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  int64_t lda() const { return transpose_a ? m : k; }
  int64_t ldb() const { return transpose_b ? k : n; }
};

void gemm_piece(const Gemm& g, int64_t rows, int64_t columns, const float* a, const float* b, float* c) {
  const SingleThread scope;
  dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', rows, columns, g.k, 1.f, a, g.lda(), b,
             g.ldb(), 0.f, c, g.n);
}

// Cuts the longer side of c.
void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  const bool by_rows = g.m >= g.n;
  const int64_t side = by_rows ? g.m : g.n;
  const int64_t wanted = std::clamp<int64_t>(g.m * g.n * g.k / piece_work, 1, most_pieces);
  const int64_t step = ceil_div(ceil_div(side, wanted), row_multiple) * row_multiple;
  const int64_t a_step = g.transpose_a ? 1 : g.k, b_step = g.transpose_b ? g.k : 1;
  parallel_for(ceil_div(side, step), [&](int64_t i) {
    const int64_t begin = i * step, size = std::min(step, side - begin);
    if (by_rows) {
      gemm_piece(g, size, g.n, a + begin * a_step, b, c + begin * g.n);
    } else {
      gemm_piece(g, g.m, size, a, b + begin * b_step, c + begin);
    }
  });
}

// Activations and weights as floats: themselves, or copies in `scratch`.
const float* floats(DType dtype, const void* x, int64_t n, float*& scratch) {
  if (dtype == DType::f32) return static_cast<const float*>(x);
  float* copy = scratch;
  scratch += ceil_div(n, 16) * 16;
  parallel_ranges(n, 1, [&](int64_t begin, int64_t end) {
    to_f32(end - begin, static_cast<const bf16*>(x) + begin, copy + begin);
  });
  return copy;
}

size_t workspace_bytes(const Linear::Params& p, Linear::Direction d) {
  const size_t copies =
      p.dtype == DType::f32 ? 0 : (p.n * p.in + p.in * p.out + p.n * p.out + 48) * sizeof(float);
  return d == Linear::Direction::backward_weight ? std::max(copies, bias_gradient_workspace(p.n, p.out))
                                                 : copies;
}

// y (rows, k) as dtype; b may be null.
void multiply(DType dtype, const Gemm& g, const float* a, const float* w, const float* b, void* y,
              float* scratch) {
  float* y32 = dtype == DType::f32 ? static_cast<float*>(y) : scratch;
  gemm(g, a, w, y32);
  if (b) add_bias(g.m, g.n, b, y32);
  if (dtype == DType::bf16) to_bf16(g.m * g.n, y32, static_cast<bf16*>(y));
}

void forward(const Linear::Params& p, const Linear::Forward& a) {
  auto* scratch = static_cast<float*>(a.workspace);
  const float* x32 = floats(p.dtype, a.x, p.n * p.in, scratch);
  const float* w32 = floats(p.dtype, a.w, p.out * p.in, scratch);
  multiply(p.dtype, {p.n, p.out, p.in, false, true}, x32, w32, a.b, a.y, scratch);
}

void backward_data(const Linear::Params& p, const Linear::BackwardData& a) {
  auto* scratch = static_cast<float*>(a.workspace);
  const float* dy32 = floats(p.dtype, a.dy, p.n * p.out, scratch);
  const float* w32 = floats(p.dtype, a.w, p.out * p.in, scratch);
  multiply(p.dtype, {p.n, p.in, p.out, false, false}, dy32, w32, nullptr, a.dx, scratch);
}

void backward_weight(const Linear::Params& p, const Linear::BackwardWeight& a) {
  auto* scratch = static_cast<float*>(a.workspace);
  if (a.db) bias_gradient(p.dtype, p.n, p.out, a.dy, a.db, scratch);
  const float* x32 = floats(p.dtype, a.x, p.n * p.in, scratch);
  const float* dy32 = floats(p.dtype, a.dy, p.n * p.out, scratch);
  gemm({p.out, p.in, p.n, true, false}, dy32, x32, a.dw);
}

}  // namespace

const Linear cpu::linear = {.workspace_bytes = workspace_bytes,
                            .forward = forward,
                            .backward_data = backward_data,
                            .backward_weight = backward_weight};

}  // namespace eb::kernels
