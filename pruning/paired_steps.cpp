#include "pruning/paired_steps.h"

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/base/median.h"
#include "engine/train/noise.h"
#include "kernels/stopwatch.h"

namespace eb::pruning {

using namespace engine;

PairedSteps time_pairs(Trainer& dense, Trainer& small, int64_t batch_size, double seconds) {
  const Model& model = dense.model();
  Batch batch = noise_batch(model.graph(), batch_size, model.compute());
  batch.images = batch.images.to(model.device()), batch.labels = batch.labels.to(model.device());
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
