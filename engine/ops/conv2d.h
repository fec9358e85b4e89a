// y = conv(x, w) + b. x (N, H, W, C), w (K, R, S, C / groups), b (K) f32 or undefined, y (N, P, Q, K).
#pragma once
#include "engine/ops/moments.h"
#include "engine/tensor/autograd.h"
#include "kernels/conv2d.h"

namespace eb::engine {

class ConvChoice;

struct Conv2dOptions {
  int64_t stride[2] = {1, 1}, pad[2] = {0, 0};
  int64_t groups = 1;
  bool deterministic = false;
  ConvChoice* choice = nullptr;  // whose convolutions run; null: ours. Outlives the tape
};

// A weight, and its packed form where several calls meet the same values: without a tape. A training step
// packs for one call each way, so there the packed form is scratch memory.
struct Conv2dWeights {
  Tensor w, b;
  Tensor codes, backward_codes;  // w in block floating point, where it is kept so; what backward-data reads
  Tensor packed;
  kernels::Conv2d::Params packed_for;
  const kernels::Conv2d* packed_by = nullptr;
  void values_changed() { packed = Tensor(); }
};

// moments, if asked for, are those of y where the device's kernel has them, else undefined.
Tensor conv2d(const Tensor& x, Conv2dWeights& weights, const Conv2dOptions& options,
              Moments* moments = nullptr);

}  // namespace eb::engine
