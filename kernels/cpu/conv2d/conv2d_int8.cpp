// The exact path: operands become numbers of Params::dtype in the workspace and meet the convolution of those
// numbers. The integer path: conv2d_int8_integer.h.
#include "kernels/conv2d_int8.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/conv2d/conv2d_int8_integer.h"
#include "kernels/cpu/largest.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/quantize.h"

namespace eb::kernels::cpu {
namespace {

using Params = Conv2d::Params;
using Direction = Conv2d::Direction;
using Operand = Conv2dInt8::Operand;
using Path = Conv2dInt8::Path;

int64_t x_size(const Params& p) {
  return p.n * p.h * p.w * p.c;
}
int64_t w_size(const Params& p) {
  return p.k * p.r * p.s * (p.c / p.groups);
}
int64_t y_size(const Params& p) {
  return p.n * p.out_h() * p.out_w() * p.k;
}

// The workspace of the exact path: both operands as numbers, the packed weights, conv2d's own.
struct Exact {
  Exact(const Params& params, Direction d) : p(params) {
    const size_t element = size_of(p.dtype);
    const int64_t first = d == Direction::forward || d == Direction::backward_weight ? x_size(p) : y_size(p);
    second_at = align_up(first * element);
    packed_at = second_at + align_up((d == Direction::backward_weight ? y_size(p) : w_size(p)) * element);
    packed_bytes = conv2d.packed_bytes(p, d);
    own_at = packed_at + align_up(packed_bytes);
    bytes = own_at + conv2d.workspace_bytes(p, d);
  }
  const Params& p;
  size_t second_at, packed_at, packed_bytes, own_at, bytes;
};

const void* numbers(const Params& p, const Operand& a, int64_t size, void* to) {
  const Quantize::Params as{.dtype = p.dtype, .blocks = size / a.block, .block = a.block, .bits = a.bits};
  quantize.dequantize(as, a.codes, a.exponents, to);
  return to;
}

const void* weights(const Exact& e, Direction d, const Operand& w, std::byte* workspace) {
  const void* plain = numbers(e.p, w, w_size(e.p), workspace + e.second_at);
  if (e.packed_bytes == 0) return plain;
  conv2d.pack(e.p, d, plain, workspace + e.packed_at, workspace + e.own_at);
  return workspace + e.packed_at;
}

void find_largest(const Params& p, const void* y, uint32_t* largest) {
  const int64_t sample = y_size(p) / p.n;
  by_dtype(p.dtype, [&]<class T>() {
    parallel_ranges(p.n, sample, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        largest[n] = largest_of(sample, static_cast<const T*>(y) + n * sample);
    });
  });
}

bool has_integer(const Params& p, Direction d, int64_t first, int64_t second) {
  return integer_allowed(p, d, first, second);
}

size_t workspace_bytes(const Params& p, Direction d, Path path) {
  if (path == Path::exact) return Exact(p, d).bytes;
  return d == Direction::backward_weight ? integer_weight_workspace(p) : integer_workspace(p, d);
}

void forward(const Params& p, Path path, const Conv2dInt8::Forward& a) {
  if (path == Path::integer)
    return integer_run(p, Direction::forward, a.x, a.w, a.b, a.y, a.largest, a.workspace);
  const Exact e(p, Direction::forward);
  auto* space = static_cast<std::byte*>(a.workspace);
  conv2d.forward(p, {.x = numbers(p, a.x, x_size(p), space),
                     .w = weights(e, Direction::forward, a.w, space),
                     .b = a.b,
                     .y = a.y,
                     .workspace = space + e.own_at});
  if (a.largest) find_largest(p, a.y, a.largest);
}

void backward_data(const Params& p, Path path, const Conv2dInt8::BackwardData& a) {
  if (path == Path::integer)
    return integer_run(p, Direction::backward_data, a.dy, a.w, nullptr, a.dx, nullptr, a.workspace);
  const Exact e(p, Direction::backward_data);
  auto* space = static_cast<std::byte*>(a.workspace);
  conv2d.backward_data(p, {.dy = numbers(p, a.dy, y_size(p), space),
                           .w = weights(e, Direction::backward_data, a.w, space),
                           .dx = a.dx,
                           .workspace = space + e.own_at});
}

void backward_weight(const Params& p, Path path, const Conv2dInt8::BackwardWeight& a) {
  if (path == Path::integer) return integer_weight_gradient(p, a.x, a.dy, a.dw, a.db, a.workspace);
  const Exact e(p, Direction::backward_weight);
  auto* space = static_cast<std::byte*>(a.workspace);
  conv2d.backward_weight(p, {.x = numbers(p, a.x, x_size(p), space),
                             .dy = numbers(p, a.dy, y_size(p), space + e.second_at),
                             .dw = a.dw,
                             .db = a.db,
                             .workspace = space + e.own_at});
}

}  // namespace

const Conv2dInt8 conv2d_int8 = {.has_integer = has_integer,
                                .workspace_bytes = workspace_bytes,
                                .forward = forward,
                                .backward_data = backward_data,
                                .backward_weight = backward_weight};

}  // namespace eb::kernels::cpu
