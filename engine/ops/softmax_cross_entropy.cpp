#include "engine/ops/softmax_cross_entropy.h"

#include <algorithm>

#include "engine/ops/check.h"
#include "kernels/softmax_cross_entropy.h"

namespace eb::engine {

using kernels::SoftmaxCrossEntropy;

static const int32_t* first_outside(const Tensor& labels, int64_t classes) {
  const int32_t *begin = labels.data<int32_t>(), *end = begin + labels.size();
  const int32_t* bad = std::find_if(begin, end, [=](int32_t label) { return label < 0 || label >= classes; });
  return bad == end ? nullptr : bad;
}

LossResult softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing,
                                 int64_t total) {
  check(
      logits.shape().size() == 2 && labels.size() == logits.dim(0) && labels.dtype() == DType::i32,
      "softmax_cross_entropy", [&] { return describe(logits) + " and " + describe(labels); },
      "logits (N, classes), i32 labels (N)");
  const int32_t* bad = labels.device() == Device::cpu ? first_outside(labels, logits.dim(1)) : nullptr;
  check(
      !bad, "softmax_cross_entropy", [&] { return "label " + std::to_string(*bad); },
      [&] { return "0.." + std::to_string(logits.dim(1) - 1); });
  LossResult r{Tensor::empty({1}, DType::f32, logits.device()),
               Tensor::empty({2}, DType::i32, logits.device())};
  auto* counts = r.counts.data<int32_t>();
  Tensor dlogits =
      needs_grad(logits) ? Tensor::empty(logits.shape(), logits.dtype(), logits.device()) : Tensor();
  const SoftmaxCrossEntropy& k = kernels::softmax_cross_entropy(logits.device());
  const SoftmaxCrossEntropy::Params p{.dtype = logits.dtype(),
                                      .n = logits.dim(0),
                                      .classes = logits.dim(1),
                                      .label_smoothing = label_smoothing,
                                      .total = total};
  const Tensor space = workspace(k.workspace_bytes(p), logits.device());
  k.forward_backward(p, {.logits = logits.raw(),
                         .labels = labels.data<int32_t>(),
                         .loss = r.loss.data<float>(),
                         .top1 = counts,
                         .top5 = counts + 1,
                         .dlogits = dlogits.raw(),
                         .workspace = space.raw()});
  // The loss is where backward starts, so dy is 1 and dlogits is already the answer.
  r.loss = record(r.loss, {logits}, [dlogits](const Tensor&) { return std::vector<Tensor>{dlogits}; });
  return r;
}

}  // namespace eb::engine
