// How a graph is run: neighbours that the hardware wants fused become one step (bn + select + residual add +
// relu), everything else runs as its plain op. Fusion never restricts the user's graph: it happens only where
// a value has exactly one reader.
#pragma once
#include <optional>
#include <vector>

#include "engine/bfp/quantize.h"
#include "engine/graph/graph.h"
#include "engine/ops/conv2d.h"

namespace eb::engine {

struct Step {
  int node;              // what to compute; its id names the weights
  int input;             // node whose value is read
  int other = -1;        // add: second input; bn: residual
  int select = -1;       // bn: fused select node
  bool relu = false;     // bn: fused relu
  bool moments = false;  // conv: a batch norm alone reads it, which wants its statistics
  bool largest = false;  // bn: a convolution reads its value, perhaps in block floating point
  int output;            // node whose value this step produces
};

// fuse = false gives one step per node (tests compare the two).
std::vector<Step> make_steps(const Graph& graph, bool fuse = true);

// Weights of one node as leaves of the tape, in the compute dtype where the kernel wants it.
struct NodeWeights {
  Conv2dWeights conv;  // conv and linear (w, b)
  Tensor gamma, beta;
  Tensor running_mean, running_var;
  Tensor select;  // (K) i32: kept channels of a select node, undefined for all
};

struct BlockModel;

struct RunOptions {
  bool train = false, deterministic = false;
  std::optional<float> bn_momentum = {};  // instead of each batch norm's own
  const BlockModel* blocks = nullptr;     // of a model in 8 bit
  const uint32_t* step = nullptr;         // on the device: number of the training step, for random rounding
  uint64_t evaluation = 0;                // seed of random rounding outside training
  ConvChoice* conv = nullptr;             // whose convolutions run
  int64_t first_sample = 0;               // x's first one's place in the batch: names its random numbers
  // Statistics go to `instead` of the arena that begins at `statistics`, at the same places; null: into it.
  const float* statistics = nullptr;
  float* instead = nullptr;
  float* place_of(const Tensor& running) const {
    return instead ? instead + (running.data<float>() - statistics) : running.data<float>();
  }
};

// x (N, H, W, C) -> value of graph.output. Values are dropped after their last reader.
Tensor run_steps(const Graph& graph, const std::vector<Step>& steps, std::vector<NodeWeights>& weights,
                 const Tensor& x, const RunOptions& options);

}  // namespace eb::engine
