#include "engine/train/sharded_statistics.h"

#include "engine/tensor/autograd.h"
#include "kernels/step_state.h"

namespace eb::engine {

ShardedStatistics::ShardedStatistics(Model& model, const DataParallel& parallel)
    : model_(model), parallel_(parallel) {
  if (!parallel.sharded()) return;
  model.set_tail(parallel.padded(model.statistics().size()));
  sum_ = ShardSum(model.tail(), parallel);
  const Tensor momentum = model.statistics_momentum().to(Device::cpu);
  for (int64_t i = 0; i < momentum.size(); ++i)
    computed_.push_back(momentum.data<float>()[i] != 0 ? 1.f : 0.f);
  factors_ = Tensor::empty(momentum.shape(), DType::f32, model.device());
}

void ShardedStatistics::add(const Batch& batch, float share) {
  const NoGrad no_grad;
  const kernels::Memory& memory = kernels::memory(model_.device());
  const Tensor tail = model_.tail();
  const int64_t total = batch.whole(), first = parallel_.samples_here(total).first;
  for (int64_t shard = parallel_.here().first; shard < parallel_.here().last; ++shard) {
    const Range at = positions_of_shard(shard, parallel_.shards, total);
    memory.zero(tail.raw(), tail.bytes());
    if (at.size())
      model_.forward_part(batch.images.rows(at.first - first, at.size()).to(model_.device()), at.first,
                          total);
    sum_.add();
  }
  sum_.finish();
  std::vector<float> factors = computed_;
  for (float& f : factors) f *= share;
  memory.to_device(factors_.raw(), factors.data(), factors_.bytes());
  kernels::step_control(model_.device())
      .running(factors_.size(), factors_.data<float>(), tail.data<float>(), nullptr,
               model_.statistics().data<float>());
}

}  // namespace eb::engine
