// Softmax cross entropy, shifted by the row maximum. A NaN logit makes the loss NaN, which is how divergence
// shows.
#include "kernels/softmax_cross_entropy.h"

#include <limits>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/no_workspace.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using Params = SoftmaxCrossEntropy::Params;

constexpr int64_t exp_cost = 32;  // one expf against one streamed element

struct Sample {
  double loss;
  int64_t larger;  // classes that beat the label
};

template <class T>
int64_t count_larger(int64_t classes, const T* z, int32_t label) {
  const float at = z[label];
  if (at != at) return std::numeric_limits<int64_t>::max();
  int64_t larger = 0;
  for (int64_t k = 0; k < classes; ++k) larger += float(z[k]) > at || (float(z[k]) == at && k < label);
  return larger;
}

// e (K) receives exp(z - max).
template <class T>
Sample one_sample(const Params& p, const T* z, int32_t label, float* e, T* dz) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < p.classes; ++k) top = std::max(top, float(z[k]));
  double sum = 0, sum_z = 0;
  for (int64_t k = 0; k < p.classes; ++k) {
    e[k] = std::exp(float(z[k]) - top);
    sum += e[k];
    sum_z += float(z[k]) - top;
  }
  const float rest = p.label_smoothing / static_cast<float>(p.classes);
  double loss = std::log(sum) - (1.0 - p.label_smoothing) * (float(z[label]) - top);
  if (rest != 0.f) loss -= rest * sum_z;
  if (dz) {
    const float inverse = static_cast<float>(1 / sum),
                scale = 1.f / static_cast<float>(SoftmaxCrossEntropy::divisor(p));
    const float hit = 1.f - p.label_smoothing;
    for (int64_t k = 0; k < p.classes; ++k) {
      const float target = k == label ? hit + rest : rest;
      dz[k] = (e[k] * inverse - target) * scale;
    }
  }
  return {loss, count_larger(p.classes, z, label)};
}

void forward_backward(const Params& p, const SoftmaxCrossEntropy::Arrays& a) {
  std::vector<Sample> samples(p.n);
  by_dtype(p.dtype, [&]<class T>() {
    parallel_ranges(p.n, p.classes * exp_cost, [&](int64_t begin, int64_t end) {
      std::vector<float> e(p.classes);
      for (int64_t i = begin; i < end; ++i) {
        T* dz = a.dlogits ? static_cast<T*>(a.dlogits) + i * p.classes : nullptr;
        samples[i] =
            one_sample(p, static_cast<const T*>(a.logits) + i * p.classes, a.labels[i], e.data(), dz);
      }
    });
  });
  double total = 0;
  *a.top1 = *a.top5 = 0;
  for (const Sample& s : samples) {
    total += s.loss;
    *a.top1 += s.larger < 1;
    *a.top5 += s.larger < 5;
  }
  *a.loss = static_cast<float>(total / static_cast<double>(SoftmaxCrossEntropy::divisor(p)));
}

}  // namespace

const SoftmaxCrossEntropy softmax_cross_entropy = {.workspace_bytes = no_workspace,
                                                   .forward_backward = forward_backward};

}  // namespace eb::kernels::cpu
