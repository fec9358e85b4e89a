// The batch is cut into chunks by its size alone; a chunk is one single-threaded oneDNN call on some thread,
// so the result cannot depend on the number of threads. bf16 without native support goes through f32 copies
// of a chunk, which stay in cache, and is rounded once.
#include "kernels/cpu/conv2d/conv2d_onednn.h"

#include "kernels/cpu/convert.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Direction = Conv2d::Direction;

// With 8, 16 or 32 chunks as fast as oneDNN's own threading: 128x128 h16 backward-data 190 against 191
// GFLOP/s, 256x64 1x1 h8 forward 198 against 200.
constexpr int64_t most_chunks = 16;

memory::desc nhwc(int64_t n, int64_t h, int64_t w, int64_t c, memory::data_type type) {
  return {{n, c, h, w}, type, memory::format_tag::nhwc};
}

// A convolution in oneDNN's terms.
struct Problem {
  memory::desc src, weights, dst;
  memory::dims strides, pads;
};

memory::dims weight_dims(const Conv2d::Params& p) {
  if (p.groups == 1) return {p.k, p.c, p.r, p.s};
  return {p.groups, p.k / p.groups, p.c / p.groups, p.r, p.s};
}

Problem problem(const Conv2d::Params& p, int64_t images, memory::data_type type) {
  return {nhwc(images, p.h, p.w, p.c, type),
          {weight_dims(p), type, memory::format_tag::any},
          nhwc(images, p.out_h(), p.out_w(), p.k, type),
          {p.stride_h, p.stride_w},
          {p.pad_h, p.pad_w}};
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
  const Problem a = problem(p, images, type);
  return d == Direction::forward ? forward_call(a, p) : backward_call(a);
}

int64_t weight_count(const Conv2d::Params& p) {
  return p.k * p.r * p.s * (p.c / p.groups);
}

memory::desc ohwi(const Conv2d::Params& p, memory::data_type type) {
  return {weight_dims(p), type, p.groups == 1 ? memory::format_tag::ohwi : memory::format_tag::gohwi};
}

struct Plan {
  bool convert;            // bf16 through f32
  int64_t images, chunks;  // of a chunk; of the batch
  Call call, last;         // for a chunk and for the last one, which may be smaller
  memory::desc ohwi;
  dnnl::reorder reorder;  // ohwi to call.weights
  size_t scratchpad, in_bytes, out_bytes;
  memory::desc bias;
  std::vector<float> no_bias;

  size_t bytes_per_thread() const { return scratchpad + in_bytes + out_bytes; }
};

Plan make_plan(const Conv2d::Params& p, Direction d) {
  const SingleThread scope;
  Plan a{.convert = p.dtype == DType::bf16 && !native_bf16()};
  const memory::data_type type = onednn_type(a.convert ? DType::f32 : p.dtype);
  a.images = ceil_div(p.n, most_chunks);
  a.chunks = ceil_div(p.n, a.images);
  a.call = make_call(p, d, a.images, type);
  const int64_t rest = p.n - (a.chunks - 1) * a.images;
  a.last = rest == a.images ? a.call : make_call(p, d, rest, type);
  a.ohwi = ohwi(p, type);
  const dnnl::reorder::primitive_desc reorder(engine(), a.ohwi, engine(), a.call.weights, user_scratchpad());
  a.reorder = dnnl::reorder(reorder);
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
  void* result = a.convert ? out32 : out;
  call.primitive.execute(stream(), {{call.in_arg, at(call.in, a.convert ? in32 : in)},
                                    {DNNL_ARG_WEIGHTS, at(call.weights, packed)},
                                    {DNNL_ARG_BIAS, at(a.bias, b ? b : a.no_bias.data())},
                                    {call.out_arg, at(call.out, result)},
                                    {DNNL_ARG_SCRATCHPAD, at(call.scratchpad, mine)}});
  if (a.convert) to_bf16(out_size, out32, static_cast<bf16*>(out));
}

}  // namespace

size_t onednn_workspace(const Conv2d::Params& p, Direction d) {
  const auto a = plan(p, d);
  const size_t weights = a->convert ? weight_count(p) * sizeof(float) : 0;  // of onednn_pack
  return std::max(threads() * a->bytes_per_thread(), weights);
}

size_t onednn_packed_bytes(const Conv2d::Params& p, Direction d) {
  return plan(p, d)->call.weights.get_size();
}

void onednn_pack(const Conv2d::Params& p, Direction d, const void* w, void* packed, void* workspace) {
  const auto a = plan(p, d);
  const SingleThread scope;
  if (a->convert) {
    auto* w32 = static_cast<float*>(workspace);
    to_f32(weight_count(p), static_cast<const bf16*>(w), w32);
    w = w32;
  }
  a->reorder.execute(stream(), {{DNNL_ARG_FROM, at(a->ohwi, w)}, {DNNL_ARG_TO, at(a->call.weights, packed)}});
}

void onednn_run(const Conv2d::Params& p, Direction d, const void* in, const void* packed, const float* b,
                void* out, void* workspace) {
  const auto a = plan(p, d);
  const int64_t x = p.h * p.w * p.c, y = p.out_h() * p.out_w() * p.k, element = size_of(p.dtype);
  const int64_t in_step = (d == Direction::forward ? x : y) * a->images * element;
  const int64_t out_step = (d == Direction::forward ? y : x) * a->images * element;
  parallel_for(a->chunks, [&](int64_t i) {
    char* mine = static_cast<char*>(workspace) + thread_index() * a->bytes_per_thread();
    run_chunk(*a, i + 1 < a->chunks ? a->call : a->last, static_cast<const char*>(in) + i * in_step, packed,
              b, static_cast<char*>(out) + i * out_step, mine);
  });
}

}  // namespace eb::kernels::cpu
