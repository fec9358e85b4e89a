// Accuracy over a data set, counting samples: a short last batch must not weigh more (docs/method.md 4.4).
#pragma once
#include <functional>

#include "engine/model/model.h"
#include "engine/train/batch.h"
#include "engine/world/world.h"

namespace eb::engine {

struct Evaluation {
  double loss = 0;  // mean over samples
  int64_t top1 = 0, top5 = 0, total = 0;
  double top1_accuracy() const { return total ? static_cast<double>(top1) / total : 0; }
  double top5_accuracy() const { return total ? static_cast<double>(top5) / total : 0; }
};

// What an evaluation is of: two of the same round alike, also where activations are rounded at random.
struct EvaluationOf {
  int64_t step = 0;  // of the training
  enum class Split : uint32_t { test, holdout } split = Split::test;
};

// Runs the model in Mode::infer over one pass of `source`. `on_logits` (N, classes f32) sees each batch in
// order. With a world, where the source of each rank has its own batches and empty ones in place of the
// others', the sums are of all ranks': the same bits for any number of them.
Evaluation evaluate(Model& model, BatchSource& source,
                    const std::function<void(const Tensor& logits, const Batch&)>& on_logits = {},
                    const EvaluationOf& of = {}, World* world = nullptr);

}  // namespace eb::engine
