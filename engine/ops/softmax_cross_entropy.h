// Mean cross entropy with label smoothing, and how many samples were right. The gradient is computed with the
// loss.
#pragma once
#include "engine/autograd.h"

namespace eb::engine {

struct LossResult {
  Tensor loss;    // (1) f32, on the tape
  Tensor counts;  // (2) i32: samples whose label is first, among the first five
  // These wait for the device.
  double value() const { return loss.item<float>(); }
  int64_t top1() const { return counts.item<int32_t>(); }
  int64_t top5() const;
};

// logits (N, classes), labels (N) i32, on one device. Labels are checked where the host can see them.
LossResult softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing);

}  // namespace eb::engine
