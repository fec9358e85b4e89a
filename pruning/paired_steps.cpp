#include "pruning/paired_steps.h"

#include <algorithm>

#include "engine/base/clock.h"
#include "kernels/elementwise.h"
#include "kernels/philox.h"
#include "kernels/stopwatch.h"

namespace eb::pruning {

using namespace engine;

static Batch noise(const Model& model, int64_t n) {
  const Node &in = model.graph().nodes[0], &out = model.graph().nodes[model.graph().output];
  Batch batch{Tensor::empty({n, in.h, in.w, in.c}), Tensor::empty({n}, DType::i32),
              std::vector<int64_t>(static_cast<size_t>(n))};
  for (int64_t i = 0; i < batch.images.size(); ++i)
    batch.images.data<float>()[i] =
        2 * kernels::uniform(kernels::philox(1, kernels::Stream::synthetic, 1, i)[0]) - 1;
  for (int64_t i = 0; i < n; ++i) batch.labels.data<int32_t>()[i] = static_cast<int32_t>(i % out.c);
  if (model.compute() != DType::f32) {
    const Tensor x = batch.images;
    batch.images = Tensor::empty(x.shape(), model.compute());
    kernels::elementwise(Device::cpu)
        .cast(x.size(), DType::f32, x.raw(), model.compute(), batch.images.raw());
  }
  batch.images = batch.images.to(model.device());
  batch.labels = batch.labels.to(model.device());
  return batch;
}

static double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

PairedSteps time_pairs(Trainer& dense, Trainer& small, int64_t batch_size, double seconds) {
  const Batch batch = noise(dense.model(), batch_size);
  const kernels::Stopwatch& watch = kernels::stopwatch(batch.images.device());
  const auto step = [&](Trainer& t) { return watch.time([&] { t.advance(batch); }); };
  for (Trainer* t : {&dense, &small})  // the second step may be recorded, the third is as all later ones
    for (int i = 0; i < 2; ++i) step(*t);
  std::vector<double> of_dense, of_small, ratios;
  for (const double start = seconds_now(); ratios.size() < 3 || seconds_now() - start < seconds;) {
    of_dense.push_back(step(dense));
    of_small.push_back(step(small));
    ratios.push_back(of_dense.back() / of_small.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  return {
      static_cast<int64_t>(ratios.size()), median(ratios), *least, *most, median(of_dense), median(of_small)};
}

}  // namespace eb::pruning
