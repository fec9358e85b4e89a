#include "engine/evaluate.h"

#include "engine/autograd.h"
#include "engine/optimizer.h"

namespace eb::engine {

Evaluation evaluate(Model& model, BatchSource& source,
                    const std::function<void(const Tensor& logits, const Batch&)>& on_logits) {
  const NoGrad no_grad;
  Evaluation e;
  source.start(0, 0);
  const Device device = model.device();
  const Tensor sums = step_state(device);
  for (Batch batch; source.next(batch);) {
    const Tensor logits = model.forward(batch.images.to(device), Mode::infer);
    const LossResult r = softmax_cross_entropy(logits, batch.labels.to(device), 0.f);
    kernels::step_control(device).count(batch.size(), r.loss.data<float>(), r.counts.data<int32_t>(),
                                        sums.data<kernels::StepState>());
    if (on_logits) on_logits(logits.to(Device::cpu), batch);
  }
  const auto s = sums.item<kernels::StepState>();
  e = {s.loss_sum, s.top1, s.top5, s.samples};
  if (e.total) e.loss /= static_cast<double>(e.total);
  return e;
}

}  // namespace eb::engine
