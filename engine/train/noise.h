// Batches of noise, for whoever measures a network rather than trains it. The same numbers at each call.
#pragma once
#include "engine/graph/graph.h"
#include "engine/train/batch.h"

namespace eb::engine {

// (n, H, W, C) of the graph's input, uniform in [-amplitude, amplitude), on the host.
Tensor noise_images(const Graph& graph, int64_t n, DType dtype, float amplitude = 1);
// The same with labels of all classes in turn.
Batch noise_batch(const Graph& graph, int64_t n, DType dtype, float amplitude = 1);

}  // namespace eb::engine
