#include "kernels/cuda/library/cudnn_conv2d.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "kernels/capture_guard.h"
#include "kernels/cuda/add_bias.h"
#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/library/cudnn_plan.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/elementwise.h"

namespace eb::kernels::cuda {

namespace {

using Direction = Conv2d::Direction;

cudnnHandle_t handle() {
  const Cudnn& api = cudnn();
  thread_local const Owned<cudnnHandle_t> h(api, api.cudnnCreate, api.cudnnDestroy);
  api.check(api.cudnnSetStream(h.get(), stream()), "cudnnSetStream");
  return h.get();
}

template <Search search>
CudnnPlan& plan(const Conv2d::Params& p, Direction d) {
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, int64_t, int64_t, int, int, int>;
  thread_local std::map<Key, std::unique_ptr<CudnnPlan>> plans;
  auto& kept = plans[{p.n, p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h, p.stride_w, p.pad_h, p.pad_w, p.groups,
                      static_cast<int>(p.dtype), p.tf32, static_cast<int>(d)}];
  if (!kept) kept = std::make_unique<CudnnPlan>(cudnn(), handle(), p, d, search);
  return *kept;
}

// A kernel that failed makes every call of the library fail: then it is the device that is reported. Not
// while a sequence is recorded, which waiting would spoil; whoever records it waits later.
void run(CudnnPlan& plan, const CudnnPlan::Call& call) {
  try {
    plan.run(handle(), call, memory);
  } catch (const LibraryError&) {
    if (!capturing) check(cudaStreamSynchronize(stream()), "cuDNN");
    throw;
  }
}

size_t aligned(size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

int64_t weights(const Conv2d::Params& p) {
  return p.k * p.r * p.s * (p.c / p.groups);
}
int64_t pixels(const Conv2d::Params& p) {
  return p.n * p.out_h() * p.out_w();
}

size_t gradient_bytes(const Conv2d::Params& p) {
  return p.dtype == DType::bf16 ? aligned(static_cast<size_t>(weights(p)) * 2) : 0;
}

template <Search search>
size_t workspace_bytes(const Conv2d::Params& p, Direction d) {
  const size_t own = plan<search>(p, d).workspace();
  if (d != Direction::backward_weight) return own;
  return std::max(gradient_bytes(p) + own, column_sum_workspace(pixels(p), p.k));
}
size_t packed_bytes(const Conv2d::Params&, Direction) {
  return 0;
}
void pack(const Conv2d::Params&, Direction, const void*, void*, void*) {}

int64_t moment_rows(const Conv2d::Params&) {
  return 0;
}

template <Search search>
void forward(const Conv2d::Params& p, const Conv2d::Forward& call) {
  run(plan<search>(p, Direction::forward), {call.x, call.w, call.y, call.workspace});
  if (call.b) add_bias(p.dtype, pixels(p), p.k, call.b, call.y);
}

template <Search search>
void backward_data(const Conv2d::Params& p, const Conv2d::BackwardData& call) {
  run(plan<search>(p, Direction::backward_data), {call.w, call.dy, call.dx, call.workspace});
}

template <Search search>
void backward_weight(const Conv2d::Params& p, const Conv2d::BackwardWeight& call) {
  if (call.db) column_sum(p.dtype, pixels(p), p.k, call.dy, call.db, call.workspace);
  const bool cast = p.dtype == DType::bf16;
  void* gradient = cast ? call.workspace : call.dw;
  run(plan<search>(p, Direction::backward_weight),
      {call.x, call.dy, gradient, static_cast<char*>(call.workspace) + gradient_bytes(p)});
  if (cast) elementwise.cast(weights(p), DType::bf16, gradient, DType::f32, call.dw);
}

template <Search search>
constexpr Conv2d table{.workspace_bytes = workspace_bytes<search>,
                       .packed_bytes = packed_bytes,
                       .pack = pack,
                       .moment_rows = moment_rows,
                       .forward = forward<search>,
                       .backward_data = backward_data<search>,
                       .backward_weight = backward_weight<search>};

}  // namespace

const Conv2d cudnn_conv2d = table<Search::rules>;
const Conv2d cudnn_conv2d_measured = table<Search::measured>;

}  // namespace eb::kernels::cuda
