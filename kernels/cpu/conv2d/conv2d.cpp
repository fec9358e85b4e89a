// The CPU convolution. Activations: our own kernels where they serve (conv2d_grouped for groups,
// conv2d_direct), else oneDNN; weight gradient: our own kernels. Params::deterministic asks for nothing
// extra: every path has the same bits for any number of threads and costs no more than oneDNN's own
// threading.
#include "kernels/conv2d.h"

#include "kernels/cpu/bias.h"
#include "kernels/cpu/conv2d/conv2d_direct.h"
#include "kernels/cpu/conv2d/conv2d_grouped.h"
#include "kernels/cpu/conv2d/conv2d_onednn.h"
#include "kernels/cpu/conv2d/conv2d_weight.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels {

using Direction = Conv2d::Direction;

static int64_t output_rows(const Conv2d::Params& p) {
  return p.n * p.out_h() * p.out_w();
}

// The ways to compute an activation.
struct Activation {
  size_t (*workspace_bytes)(const Conv2d::Params&, Direction);
  size_t (*packed_bytes)(const Conv2d::Params&, Direction);
  void (*pack)(const Conv2d::Params&, Direction, const void* w, void* packed, void* workspace);
  void (*run)(const Conv2d::Params&, Direction, const void* in, const void* packed, const float* b, void* out,
              void* workspace);
};

static const Activation& activation(const Conv2d::Params& p, Direction d) {
  static const Activation onednn = {cpu::onednn_workspace, cpu::onednn_packed_bytes, cpu::onednn_pack,
                                    cpu::onednn_run};
  static const Activation direct = {cpu::direct_workspace, cpu::direct_packed_bytes, cpu::direct_pack,
                                    cpu::direct_run};
  static const Activation grouped = {cpu::grouped_workspace, cpu::grouped_packed_bytes, cpu::grouped_pack,
                                     cpu::grouped_run};
  return cpu::is_grouped(p, d) ? grouped : cpu::is_direct(p, d) ? direct : onednn;
}

static size_t workspace_bytes(const Conv2d::Params& p, Direction d) {
  if (d != Direction::backward_weight) return activation(p, d).workspace_bytes(p, d);
  const size_t sums =
      cpu::is_grouped(p, d) ? cpu::grouped_weight_workspace(p) : cpu::weight_gradient_workspace(p);
  return std::max(sums, cpu::bias_gradient_workspace(output_rows(p), p.k));
}

static size_t packed_bytes(const Conv2d::Params& p, Direction d) {
  return d == Direction::backward_weight ? 0 : activation(p, d).packed_bytes(p, d);
}

static void pack(const Conv2d::Params& p, Direction d, const void* w, void* packed, void* workspace) {
  if (d != Direction::backward_weight) activation(p, d).pack(p, d, w, packed, workspace);
}

static int64_t moment_rows(const Conv2d::Params&) {
  return 0;
}

static void forward(const Conv2d::Params& p, const Conv2d::Forward& a) {
  activation(p, Direction::forward).run(p, Direction::forward, a.x, a.w, a.b, a.y, a.workspace);
}

static void backward_data(const Conv2d::Params& p, const Conv2d::BackwardData& a) {
  activation(p, Direction::backward_data)
      .run(p, Direction::backward_data, a.dy, a.w, nullptr, a.dx, a.workspace);
}

static void backward_weight(const Conv2d::Params& p, const Conv2d::BackwardWeight& a) {
  const bool grouped = cpu::is_grouped(p, Direction::backward_weight);
  (grouped ? cpu::grouped_weight_gradient : cpu::weight_gradient)(p, a.x, a.dy, a.dw, a.workspace);
  if (a.db) cpu::bias_gradient(p.dtype, output_rows(p), p.k, a.dy, a.db, a.workspace);
}

const Conv2d cpu::conv2d = {.workspace_bytes = workspace_bytes,
                            .packed_bytes = packed_bytes,
                            .pack = pack,
                            .moment_rows = moment_rows,
                            .forward = forward,
                            .backward_data = backward_data,
                            .backward_weight = backward_weight};

}  // namespace eb::kernels
