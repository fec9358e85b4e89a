// How each op of the list runs, in one table.
#pragma once
#include <vector>

#include "engine/model/plan.h"
#include "engine/ops/moments.h"

namespace eb::engine {

// A pass over the steps, as far as it has come.
struct RunContext {
  const Graph& graph;
  std::vector<NodeWeights>& weights;
  const RunOptions& options;
  std::vector<Tensor> values;    // by node
  std::vector<int> readers;      // of each value, still to come
  std::vector<Moments> moments;  // of a value, for the batch norm that reads it
  std::vector<Tensor> largest;   // magnitudes of a value's samples, where its batch norm found them
  std::vector<Tensor> rounded;   // of a value, for the convolutions that read it in block floating point

  // The value goes with its last reader, which may then write into it.
  Tensor take(int node) { return --readers[node] > 0 ? values[node] : std::move(values[node]); }
  Tensor take_dense(int node) { return dense(take(node)); }
  Tensor take_rounded(int node);
  bool rounds_samples() const;
  Rounding rounding(int node, RoundedTensor what) const;
};

// The value of step.output, by the op's row or, for one from outside the list, its own run.
Tensor run_op(const Step& step, RunContext& context);

}  // namespace eb::engine
