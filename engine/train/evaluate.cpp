#include "engine/train/evaluate.h"

#include "engine/bfp/block_arena.h"
#include "engine/model/optimizer.h"
#include "engine/tensor/autograd.h"
#include "kernels/philox.h"

namespace eb::engine {

// The seed of one batch.
static uint64_t seed_of(const Model& model, const EvaluationOf& of, int64_t batch) {
  const uint64_t seed = model.blocks() ? model.blocks()->precision.seed : 0;
  const auto words = kernels::philox(seed, kernels::Stream::evaluation, static_cast<uint32_t>(of.step),
                                     static_cast<uint64_t>(batch) << 1 | static_cast<uint64_t>(of.split));
  return uint64_t{words[1]} << 32 | words[0];
}

Evaluation evaluate(Model& model, BatchSource& source,
                    const std::function<void(const Tensor& logits, const Batch&)>& on_logits,
                    const EvaluationOf& of) {
  const NoGrad no_grad;
  Evaluation e;
  source.start(0, 0);
  const Device device = model.device();
  const Tensor sums = step_state(device);
  int64_t batches = 0;
  for (Batch batch; source.next(batch);) {
    model.set_evaluation(seed_of(model, of, batches++));
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
