// The exact path. Where the bf16 convolution of the shape runs on wgmma, codes become bf16 numbers in the
// workspace, exponents included, and that convolution multiplies them: shared memory is filled by bulk copies
// there, no thread has an element in its hands. Elsewhere the loaders expand them (conv2d_coded.cuh). A code
// has at most seven bits and bf16 eight, so nothing is rounded but the fp32 sums.
#include "kernels/cuda/coded.cuh"
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_int8.cuh"
#include "kernels/cuda/largest.cuh"
#include "kernels/quantize.h"

namespace eb::kernels::cuda {

namespace {

using Operand = Conv2dInt8::Operand;
using Direction = Conv2d::Direction;

constexpr int64_t per_slice = 16384;
constexpr int threads = 256;

// to (8 pieces) <- codes, four pieces under way a thread.
__global__ void expand_kernel(int64_t pieces, CodePointer from, bf16* to) {
  constexpr int at_once = 4;
  const int64_t first = int64_t{blockIdx.x} * threads * at_once + threadIdx.x;
  Codes<8> v[at_once];
#pragma unroll
  for (int i = 0; i < at_once; ++i) v[i].load(from + (first + i * threads) * 8, first + i * threads < pieces);
#pragma unroll
  for (int i = 0; i < at_once; ++i)
    if (const int64_t at = first + i * threads; at < pieces) v[i].store(to + at * 8);
}

void expand_codes(DType dtype, const Operand& o, int64_t elements, void* to) {
  if (dtype == DType::bf16 && elements % 8 == 0 && o.block % 8 == 0 && elements < int64_t{1} << 31)
    launch({"expand_codes", blocks_for(elements / 8, 4 * threads), threads}, expand_kernel, elements / 8,
           CodePointer(o), static_cast<bf16*>(to));
  else
    quantize.dequantize({.dtype = dtype, .blocks = elements / o.block, .block = o.block, .bits = o.bits},
                        o.codes, o.exponents, to);
}

// Merges the largest |y| of a slice of each sample (elements); y (samples, elements).
template <class T>
__global__ void sample_largest_kernel(int64_t elements, const T* y, uint32_t* largest) {
  const int64_t first = int64_t{blockIdx.y} * per_slice, left = elements - first;
  const int64_t count = left < per_slice ? left : per_slice;
  const T* from = y + blockIdx.x * elements + first;
  uint32_t most = 0;
  for (int64_t i = threadIdx.x; i < count; i += threads)
    most = larger(most, bits_of(static_cast<float>(from[i])) & 0x7fffffffu);
  most = warp_largest(most);
  if (threadIdx.x % warp_size == 0) atomic_max(largest + blockIdx.x, most);
}

void largest_of_samples(const Conv2d::Params& p, const void* y, uint32_t* largest) {
  const int64_t elements = p.out_h() * p.out_w() * p.k;
  clear_largest(p.n, largest);
  by_dtype(p.dtype, [&]<class T>() {
    launch({"sample_largest", dim3(static_cast<unsigned>(p.n), blocks_for(elements, per_slice)), threads},
           sample_largest_kernel<T>, elements, static_cast<const T*>(y), largest);
  });
}

// The convolution of the numbers. tf32 holds a code's bits, so one product of three does.
Conv2d::Params numbers(const Conv2d::Params& p, Direction d) {
  Conv2d::Params q = p;
  q.tf32 = true;
  if (d == Direction::backward_weight) q.dtype = DType::bf16;  // dw is f32 whatever the operands are
  return q;
}

int64_t elements_of_x(const Conv2d::Params& p) {
  return p.n * p.h * p.w * p.c;
}
int64_t elements_of_y(const Conv2d::Params& p) {
  return p.n * p.out_h() * p.out_w() * p.k;
}
int64_t elements_of_w(const Conv2d::Params& p) {
  return p.k * p.r * p.s * (p.c / p.groups);
}

// Through the workspace; also tensors whose elements no FastDivide counts.
bool expanded_first(const Conv2d::Params& p, Direction d) {
  constexpr int64_t most = int64_t{1} << 31;
  return hopper_suits(numbers(p, d), d, device_limits()) || elements_of_x(p) >= most ||
         elements_of_y(p) >= most || elements_of_w(p) >= most;
}

// Numbers one after the other in the workspace, what the convolution needs behind them.
class Workspace {
 public:
  Workspace(DType dtype, void* base) : dtype_(dtype), next_(static_cast<char*>(base)) {}
  static size_t bytes(DType dtype, int64_t elements) {
    return (static_cast<size_t>(elements) * size_of(dtype) + 255) / 256 * 256;
  }
  const void* expand(const Operand& o, int64_t elements) {
    void* to = next_;
    next_ += bytes(dtype_, elements);
    expand_codes(dtype_, o, elements, to);
    return to;
  }
  void* rest() const { return next_; }

 private:
  DType dtype_;
  char* next_;
};

}  // namespace

size_t conv2d_exact_workspace(const Conv2d::Params& p, Direction d) {
  if (!expanded_first(p, d))
    return d == Direction::backward_weight ? conv2d_coded_backward_weight_workspace(p) : 0;
  const Conv2d::Params q = numbers(p, d);
  const int64_t first = d == Direction::backward_data ? elements_of_y(p) : elements_of_x(p);
  const int64_t second = d == Direction::backward_weight ? elements_of_y(p) : elements_of_w(p);
  return Workspace::bytes(q.dtype, first) + Workspace::bytes(q.dtype, second) + conv2d_workspace(q, d);
}

void conv2d_exact_forward(const Conv2d::Params& p, const Conv2dInt8::Forward& a) {
  if (!expanded_first(p, Direction::forward)) return conv2d_coded_forward(p, a.x, a.w, a.b, a.y, a.largest);
  const Conv2d::Params q = numbers(p, Direction::forward);
  Workspace space(q.dtype, a.workspace);
  const void* x = space.expand(a.x, elements_of_x(p));
  const void* w = space.expand(a.w, elements_of_w(p));
  conv2d_forward(q, {.x = x, .w = w, .b = a.b, .y = a.y, .workspace = space.rest()});
  if (a.largest) largest_of_samples(p, a.y, a.largest);
}

void conv2d_exact_backward_data(const Conv2d::Params& p, const Conv2dInt8::BackwardData& a) {
  if (!expanded_first(p, Direction::backward_data)) return conv2d_coded_backward_data(p, a.dy, a.w, a.dx);
  const Conv2d::Params q = numbers(p, Direction::backward_data);
  Workspace space(q.dtype, a.workspace);
  const void* dy = space.expand(a.dy, elements_of_y(p));
  const void* w = space.expand(a.w, elements_of_w(p));
  conv2d_backward_data(q, {.dy = dy, .w = w, .dx = a.dx, .workspace = space.rest()});
}

void conv2d_exact_backward_weight(const Conv2d::Params& p, const Conv2dInt8::BackwardWeight& a) {
  if (!expanded_first(p, Direction::backward_weight))
    return conv2d_coded_backward_weight(p, a.x, a.dy, a.dw, a.db, a.workspace);
  const Conv2d::Params q = numbers(p, Direction::backward_weight);
  Workspace space(q.dtype, a.workspace);
  const void* x = space.expand(a.x, elements_of_x(p));
  const void* dy = space.expand(a.dy, elements_of_y(p));
  conv2d_backward_weight(q, {.x = x, .dy = dy, .dw = a.dw, .db = a.db, .workspace = space.rest()});
}

}  // namespace eb::kernels::cuda
