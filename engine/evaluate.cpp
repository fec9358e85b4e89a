#include "engine/evaluate.h"

#include "engine/autograd.h"
#include "engine/ops/softmax_cross_entropy.h"

namespace eb::engine {

Evaluation evaluate(Model& model, BatchSource& source,
                    const std::function<void(const Tensor& logits, const Batch&)>& on_logits) {
  const NoGrad no_grad;
  Evaluation e;
  source.start(0, 0);
  for (Batch batch; source.next(batch);) {
    const Tensor logits = model.forward(batch.images.to(model.device()), Mode::infer);
    const LossResult r = softmax_cross_entropy(logits, batch.labels.to(model.device()), 0.f);
    e.loss += r.value() * static_cast<double>(batch.size());
    e.top1 += r.top1();
    e.top5 += r.top5();
    e.total += batch.size();
    if (on_logits) on_logits(logits.to(Device::cpu), batch);
  }
  if (e.total) e.loss /= static_cast<double>(e.total);
  return e;
}

}  // namespace eb::engine
