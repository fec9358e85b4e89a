// Mean cross entropy with label smoothing, and how many samples were right. The gradient is computed with the
// loss.
#pragma once
#include "engine/tensor/autograd.h"

namespace eb::engine {

struct LossResult {
  Tensor loss;    // (1) f32, on the tape
  Tensor counts;  // (2) i32: samples whose label is first, among the first five
  double value() const { return loss.item<float>(); }  // waits for the device
};

// logits (N, classes), labels (N) i32, on one device. Labels are checked where the host can see them.
// total: samples of the batch of which these N are a part, whose loss is a share of its mean then; 0: N.
LossResult softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing,
                                 int64_t total = 0);

}  // namespace eb::engine
