#include "engine/train/evaluate.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/bfp/block_arena.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/autograd.h"
#include "kernels/philox.h"
#include "kernels/step_state.h"

namespace eb::engine {

// The seed of one batch.
static uint64_t seed_of(const Model& model, const EvaluationOf& of, int64_t batch) {
  const uint64_t seed = model.blocks() ? model.blocks()->precision.seed : 0;
  const auto words = kernels::philox(seed, kernels::Stream::evaluation, static_cast<uint32_t>(of.step),
                                     static_cast<uint64_t>(batch) << 1 | static_cast<uint64_t>(of.split));
  return uint64_t{words[1]} << 32 | words[0];
}

namespace {

struct BatchSum {
  int64_t batch, samples;
  float loss;
  int32_t top1, top5;
};

std::vector<BatchSum> of_all_ranks(const std::vector<BatchSum>& mine, World& world) {
  std::vector<BatchSum> all;
  for (const std::string& bytes :
       world.all_gather({reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(BatchSum)})) {
    const size_t before = all.size();
    all.resize(before + bytes.size() / sizeof(BatchSum));
    std::memcpy(&all[before], bytes.data(), bytes.size());
  }
  std::sort(all.begin(), all.end(), [](const BatchSum& a, const BatchSum& b) { return a.batch < b.batch; });
  return all;
}

}  // namespace

Evaluation evaluate(Model& model, BatchSource& source,
                    const std::function<void(const Tensor& logits, const Batch&)>& on_logits,
                    const EvaluationOf& of, World* world) {
  const NoGrad no_grad;
  source.start(0, 0);
  const Device device = model.device();
  std::vector<BatchSum> sums;
  std::vector<LossResult> results;  // read at the end: nothing waits for the device before
  int64_t batches = 0;
  for (Batch batch; source.next(batch); ++batches) {
    if (batch.size() == 0) continue;
    model.set_evaluation(seed_of(model, of, batches));
    const Tensor logits = model.forward(batch.images.to(device), Mode::infer);
    results.push_back(softmax_cross_entropy(logits, batch.labels.to(device), 0.f));
    sums.push_back({batches, batch.size()});
    if (on_logits) on_logits(logits.to(Device::cpu), batch);
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    const Tensor counts = results[i].counts.to(Device::cpu);
    sums[i].loss = results[i].loss.item<float>();
    sums[i].top1 = counts.data<int32_t>()[0];
    sums[i].top5 = counts.data<int32_t>()[1];
  }
  if (world && world->size() > 1) sums = of_all_ranks(sums, *world);
  kernels::StepState all;
  for (const BatchSum& s : sums) kernels::count_step(s.samples, s.loss, s.top1, s.top5, all);
  Evaluation e{all.loss_sum, all.top1, all.top5, all.samples};
  if (e.total) e.loss /= static_cast<double>(e.total);
  return e;
}

}  // namespace eb::engine
