// The fused update: one pass over gradient, momentum and weight. Many short segments (a batch norm each)
// share one parallel loop over pieces.
#include "kernels/sgd.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

struct Piece {
  int64_t begin, end;
  float weight_decay, l1;
};

std::vector<Piece> cut(const Sgd::Segment* segments, int64_t n_segments) {
  std::vector<Piece> pieces;
  for (const Sgd::Segment* s = segments; s != segments + n_segments; ++s) {
    const int64_t end = s->offset + s->count;
    for (int64_t at = s->offset; at < end; at += chunk_elements)
      pieces.push_back({at, std::min(end, at + chunk_elements), s->weight_decay, s->l1});
  }
  return pieces;
}

template <bool nesterov, bool has_working>
void update(const Sgd::Params& p, const Sgd::Control& control, const Piece& piece, const Sgd::Arrays& a) {
  const float lr = control.lr, mu = p.momentum, scale = p.prepared ? 1.f : control.grad_scale,
              decay = piece.weight_decay, l1 = p.prepared ? 0.f : piece.l1;
#pragma omp simd
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    const float w = a.master[i];
    const float sign = w > 0.f ? 1.f : w < 0.f ? -1.f : 0.f;
    const float g = scale * a.grad[i] + l1 * sign + decay * w;
    const float v = mu * a.momentum[i] + g;
    const float next = w - lr * (nesterov ? g + mu * v : v);
    a.momentum[i] = v;
    a.master[i] = next;
    if constexpr (has_working) a.working[i] = next;
  }
}

void step(const Sgd::Params& p, const Sgd::Arrays& a) {
  if (a.control->finite == 0) return;
  const auto pieces = cut(a.segments, a.n_segments);
  by_flags(
      [&]<bool nesterov, bool has_working>() {
        parallel_for(static_cast<int64_t>(pieces.size()),
                     [&](int64_t i) { update<nesterov, has_working>(p, *a.control, pieces[i], a); });
      },
      p.nesterov, a.working != nullptr);
}

void prepare(const Sgd::Segment* segments, int64_t n_segments, const Sgd::Control* control,
             const float* master, float* grad) {
  const float scale = control->grad_scale;
  const auto pieces = cut(segments, n_segments);
  parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t n) {
    const float l1 = pieces[n].l1;
#pragma omp simd
    for (int64_t i = pieces[n].begin; i < pieces[n].end; ++i) {
      const float w = master[i];
      grad[i] = scale * grad[i] + l1 * (w > 0.f ? 1.f : w < 0.f ? -1.f : 0.f);
    }
  });
}

}  // namespace

const Sgd sgd = {.prepare = prepare, .step = step};

}  // namespace eb::kernels::cpu
