// y = conv(x, w) + b. x (N, H, W, C), w (K, R, S, C / groups), b (K) f32 or undefined, y (N, P, Q, K).
#pragma once
#include "engine/autograd.h"

namespace eb::engine {

struct Conv2dOptions {
  int64_t stride[2] = {1, 1}, pad[2] = {0, 0};
  int64_t groups = 1;
  bool deterministic = false;
};

// A weight and its packed forms, which last until the values change.
struct Conv2dWeights {
  Tensor w, b;
  Tensor packed_forward, packed_backward;
  void values_changed() { packed_forward = packed_backward = Tensor(); }
};

Tensor conv2d(const Tensor& x, Conv2dWeights& weights, const Conv2dOptions& options);

}  // namespace eb::engine
