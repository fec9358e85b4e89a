// The batch is cut into chunks by its size alone; a chunk is one single-threaded oneDNN call on some thread,
// so the result cannot depend on the number of threads. bf16 without native support goes through f32 copies
// of a chunk, which stay in cache, and is rounded once.
#include "kernels/cpu/conv2d_data.h"

#include <omp.h>

#include "kernels/cpu/bias.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Direction = Conv2d::Direction;

// As fast as oneDNN's own threading for VGG16 at batch 128 (c128 h16: 190 against 191 GFLOP/s) with 8, 16
// or 32.
constexpr int64_t most_chunks = 16;
// A stride-1 forward convolution is the backward-data of one with flipped, transposed weights. On AVX2
// oneDNN's backward-data is the faster code from this many input channels on: 64x64 h32 162 -> 185 GFLOP/s,
// 128x128 h16 149 -> 174, 256x256 h8 148 -> 197, 512x512 h4 147 -> 192, 512x512 h2 122 -> 173; but 3x64 h32
// 154 -> 127.
constexpr int64_t least_channels_to_flip = 8;

bool by_backward_data(const Conv2d::Params& p, Direction d) {
  if (d == Direction::backward_data) return true;
  const bool possible = p.stride_h == 1 && p.stride_w == 1 && p.pad_h < p.r && p.pad_w < p.s;
  return possible && !wide_vectors() && p.groups == 1 && p.r * p.s > 1 && p.c >= least_channels_to_flip;
}

memory::desc nhwc(int64_t n, int64_t h, int64_t w, int64_t c, memory::data_type type) {
  return {{n, c, h, w}, type, memory::format_tag::nhwc};
}

// A convolution in oneDNN's terms.
struct Problem {
  memory::desc src, weights, dst;
  memory::dims strides, pads;
  bool flipped;
};

memory::dims weight_dims(const Conv2d::Params& p, bool transposed) {
  const int64_t g = p.groups;
  if (transposed) return {p.c, p.k, p.r, p.s};
  if (g == 1) return {p.k, p.c, p.r, p.s};
  return {g, p.k / g, p.c / g, p.r, p.s};
}

Problem problem(const Conv2d::Params& p, Direction d, int64_t images, memory::data_type type) {
  const memory::desc x = nhwc(images, p.h, p.w, p.c, type), y = nhwc(images, p.out_h(), p.out_w(), p.k, type);
  const bool flipped = d == Direction::forward && by_backward_data(p, d);
  const memory::desc w(weight_dims(p, flipped), type, memory::format_tag::any);
  if (flipped) return {y, w, x, {1, 1}, {p.r - 1 - p.pad_h, p.s - 1 - p.pad_w}, true};
  return {x, w, y, {p.stride_h, p.stride_w}, {p.pad_h, p.pad_w}, false};
}

// A primitive for a number of images, with what is needed to call it.
struct Call {
  dnnl::primitive primitive;
  memory::desc in, weights, out, scratchpad;
  int in_arg, out_arg;
};

Call forward_call(const Problem& a, const Conv2d::Params& p) {
  const memory::desc bias({p.k}, memory::data_type::f32, memory::format_tag::a);
  const dnnl::convolution_forward::desc desc(prop_kind::forward_training, algorithm::convolution_direct,
                                             a.src, a.weights, bias, a.dst, a.strides, a.pads, a.pads);
  const dnnl::convolution_forward::primitive_desc pd(desc, user_scratchpad(), engine());
  return {dnnl::convolution_forward(pd), a.src,        pd.weights_desc(), a.dst,
          pd.scratchpad_desc(),          DNNL_ARG_SRC, DNNL_ARG_DST};
}

Call backward_call(const Problem& a) {
  const dnnl::convolution_forward::desc forward(prop_kind::forward_training, algorithm::convolution_direct,
                                                a.src, a.weights, a.dst, a.strides, a.pads, a.pads);
  const dnnl::convolution_forward::primitive_desc hint(forward, user_scratchpad(), engine());
  const dnnl::convolution_backward_data::desc desc(algorithm::convolution_direct, a.src, a.weights, a.dst,
                                                   a.strides, a.pads, a.pads);
  const dnnl::convolution_backward_data::primitive_desc pd(desc, user_scratchpad(), engine(), hint);
  return {dnnl::convolution_backward_data(pd),
          a.dst,
          pd.weights_desc(),
          a.src,
          pd.scratchpad_desc(),
          DNNL_ARG_DIFF_DST,
          DNNL_ARG_DIFF_SRC};
}

Call make_call(const Conv2d::Params& p, Direction d, int64_t images, memory::data_type type) {
  const Problem a = problem(p, d, images, type);
  return by_backward_data(p, d) ? backward_call(a) : forward_call(a, p);
}

// Reorders one kernel tap of OHWI weights into the packed layout.
struct TapReorder {
  memory::desc from, to;
  dnnl::reorder primitive;
  int64_t row_stride, column_stride;  // from tap to tap of `to`, in elements
};

TapReorder tap_reorder(const Conv2d::Params& p, const memory::desc& packed, bool flipped) {
  const int64_t c = p.c / p.groups, taps = p.r * p.s;
  memory::dims dims = weight_dims(p, flipped), strides = {taps * c, 1, taps * c, taps * c};
  if (flipped) std::swap(strides[0], strides[1]);
  if (p.groups > 1) strides.insert(strides.begin(), p.k / p.groups * taps * c);
  const size_t spatial = dims.size() - 2;
  dims[spatial] = dims[spatial + 1] = 1;
  const memory::desc from(dims, packed.data_type(), strides);
  const memory::desc to = packed.submemory_desc(dims, memory::dims(dims.size(), 0));
  const dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, user_scratchpad());
  const auto& blocking = packed.data.format_desc.blocking;
  return {from, to, dnnl::reorder(pd), blocking.strides[spatial], blocking.strides[spatial + 1]};
}

struct Plan {
  bool convert, flipped;   // bf16 through f32; forward by backward-data
  int64_t images, chunks;  // of a chunk; of the batch
  Call call, last;         // for a chunk and for the last one, which may be smaller
  TapReorder reorder;
  size_t scratchpad, in_bytes, out_bytes;
  memory::desc bias;
  std::vector<float> no_bias;

  size_t bytes_per_thread() const { return scratchpad + in_bytes + out_bytes; }
};

Plan make_plan(const Conv2d::Params& p, Direction d) {
  const SingleThread scope;
  Plan a{.convert = p.dtype == DType::bf16 && !native_bf16()};
  a.flipped = d == Direction::forward && by_backward_data(p, d);
  const memory::data_type type = onednn_type(a.convert ? DType::f32 : p.dtype);
  a.images = ceil_div(p.n, most_chunks);
  a.chunks = ceil_div(p.n, a.images);
  a.call = make_call(p, d, a.images, type);
  const int64_t rest = p.n - (a.chunks - 1) * a.images;
  a.last = rest == a.images ? a.call : make_call(p, d, rest, type);
  a.reorder = tap_reorder(p, a.call.weights, a.flipped);
  a.scratchpad = align_up(std::max(a.call.scratchpad.get_size(), a.last.scratchpad.get_size()));
  a.in_bytes = a.convert ? align_up(a.call.in.get_size()) : 0;
  a.out_bytes = a.convert ? align_up(a.call.out.get_size()) : 0;
  a.bias = {{p.k}, memory::data_type::f32, memory::format_tag::a};
  a.no_bias.assign(p.k, 0.f);
  return a;
}

std::shared_ptr<const Plan> plan(const Conv2d::Params& p, Direction d) {
  static PlanCache<Plan> cache;
  const PlanCache<Plan>::Key key = {static_cast<int>(p.dtype),
                                    static_cast<int>(d),
                                    p.n,
                                    p.h,
                                    p.w,
                                    p.c,
                                    p.k,
                                    p.r,
                                    p.s,
                                    p.stride_h,
                                    p.stride_w,
                                    p.pad_h,
                                    p.pad_w,
                                    p.groups};
  return cache.get(key, [&] { return make_plan(p, d); });
}

memory at(const memory::desc& desc, const void* data) {
  return memory(desc, engine(), const_cast<void*>(data));
}

// One chunk. mine: this thread's part of the workspace.
void run_chunk(const Plan& a, const Call& call, const void* in, const void* packed, const float* b, void* out,
               char* mine) {
  const SingleThread scope;
  float *in32 = reinterpret_cast<float*>(mine + a.scratchpad), *out32 = in32 + a.in_bytes / sizeof(float);
  const int64_t in_size = call.in.get_size() / sizeof(float), out_size = call.out.get_size() / sizeof(float);
  if (a.convert) to_f32(in_size, static_cast<const bf16*>(in), in32);
  const bool add = b && a.flipped;  // oneDNN's backward-data has no bias
  void* result = a.convert ? out32 : out;
  call.primitive.execute(stream(), {{call.in_arg, at(call.in, a.convert ? in32 : in)},
                                    {DNNL_ARG_WEIGHTS, at(call.weights, packed)},
                                    {DNNL_ARG_BIAS, at(a.bias, b ? b : a.no_bias.data())},
                                    {call.out_arg, at(call.out, result)},
                                    {DNNL_ARG_SCRATCHPAD, at(call.scratchpad, mine)}});
  const int64_t k = static_cast<int64_t>(a.no_bias.size());
  if (add) add_bias(out_size / k, k, b, static_cast<float*>(result));
  if (a.convert) to_bf16(out_size, out32, static_cast<bf16*>(out));
}

}  // namespace

size_t data_workspace(const Conv2d::Params& p, Direction d) {
  return omp_get_max_threads() * plan(p, d)->bytes_per_thread();
}

size_t data_packed_bytes(const Conv2d::Params& p, Direction d) {
  return plan(p, d)->call.weights.get_size();
}

void data_pack(const Conv2d::Params& p, Direction d, const void* w, void* packed) {
  const auto a = plan(p, d);
  const int64_t c = p.c / p.groups, taps = p.r * p.s, size = p.k * taps * c;
  const char* from = static_cast<const char*>(w);
  if (a->convert) {
    float* w32 = static_cast<float*>(thread_scratch(size * sizeof(float)));
    to_f32(size, static_cast<const bf16*>(w), w32);
    from = reinterpret_cast<const char*>(w32);
  }
  const int64_t element = a->convert ? sizeof(float) : size_of(p.dtype);
  parallel_for(taps, [&](int64_t tap) {
    const int64_t target = a->flipped ? taps - 1 - tap : tap;
    const int64_t to = target / p.s * a->reorder.row_stride + target % p.s * a->reorder.column_stride;
    a->reorder.primitive.execute(
        stream(), {{DNNL_ARG_FROM, at(a->reorder.from, from + tap * c * element)},
                   {DNNL_ARG_TO, at(a->reorder.to, static_cast<char*>(packed) + to * element)}});
  });
}

void data_run(const Conv2d::Params& p, Direction d, const void* in, const void* packed, const float* b,
              void* out, void* workspace) {
  const auto a = plan(p, d);
  const int64_t x = p.h * p.w * p.c, y = p.out_h() * p.out_w() * p.k, element = size_of(p.dtype);
  const int64_t in_step = (d == Direction::forward ? x : y) * a->images * element;
  const int64_t out_step = (d == Direction::forward ? y : x) * a->images * element;
  parallel_for(a->chunks, [&](int64_t i) {
    char* mine = static_cast<char*>(workspace) + omp_get_thread_num() * a->bytes_per_thread();
    run_chunk(*a, i + 1 < a->chunks ? a->call : a->last, static_cast<const char*>(in) + i * in_step, packed,
              b, static_cast<char*>(out) + i * out_step, mine);
  });
}

}  // namespace eb::kernels::cpu
