// Mean cross entropy with label smoothing, and how many samples were right. The gradient is computed with the
// loss.
#pragma once
#include "engine/autograd.h"

namespace eb::engine {

struct LossResult {
  Tensor loss;  // (1) f32, on the tape
  int64_t top1 = 0, top5 = 0;
  double value() const { return loss.data<float>()[0]; }
};

// logits (N, classes), labels (N) i32
LossResult softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing);

}  // namespace eb::engine
