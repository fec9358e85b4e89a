// The CPU convolution: activations by oneDNN (conv2d_data), weight gradient by our own kernel
// (conv2d_weight). Every mode is deterministic: measured equal in time to oneDNN's own threading, see
// conv2d_data.cpp.
#include "kernels/conv2d.h"

#include "kernels/cpu/bias.h"
#include "kernels/cpu/conv2d_data.h"
#include "kernels/cpu/conv2d_weight.h"
#include "kernels/cpu/onednn.h"

namespace eb::kernels {

using Direction = Conv2d::Direction;

static int64_t output_rows(const Conv2d::Params& p) {
  return p.n * p.out_h() * p.out_w();
}

static size_t workspace_bytes(const Conv2d::Params& p, Direction d) {
  if (d != Direction::backward_weight) return cpu::data_workspace(p, d);
  return std::max(cpu::weight_gradient_workspace(p), cpu::bias_gradient_workspace(output_rows(p), p.k));
}

static size_t packed_bytes(const Conv2d::Params& p, Direction d) {
  return d == Direction::backward_weight ? 0 : cpu::data_packed_bytes(p, d);
}

static void pack(const Conv2d::Params& p, Direction d, const void* w, void* packed) {
  if (d != Direction::backward_weight) cpu::data_pack(p, d, w, packed);
}

static void forward(const Conv2d::Params& p, const void* x, const void* w, const float* b, void* y,
                    void* workspace) {
  cpu::data_run(p, Direction::forward, x, w, b, y, workspace);
}

static void backward_data(const Conv2d::Params& p, const void* dy, const void* w, void* dx, void* workspace) {
  cpu::data_run(p, Direction::backward_data, dy, w, nullptr, dx, workspace);
}

static void backward_weight(const Conv2d::Params& p, const void* x, const void* dy, float* dw, float* db,
                            void* workspace) {
  cpu::weight_gradient(p, x, dy, dw, workspace);
  if (db) cpu::bias_gradient(p.dtype, output_rows(p), p.k, dy, db, workspace);
}

const Conv2d cpu::conv2d = {workspace_bytes, packed_bytes, pack, forward, backward_data, backward_weight};

}  // namespace eb::kernels
