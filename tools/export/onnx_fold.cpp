// A batch norm in inference is y = s x + t for every channel, and so is what it does to the filters before
// it.
#include <cmath>

#include "tools/export/onnx_graph.h"

namespace eb::tools {

using namespace engine;

std::map<int, int> foldable(const Graph& graph) {
  std::map<int, int> folds;
  const auto readers = graph.consumers();
  for (int bn : graph.bn_nodes()) {
    const int before = graph.nodes[bn].in[0];
    if (graph.nodes[before].op == Op::conv && readers[before].size() == 1) folds[bn] = before;
  }
  return folds;
}

void fold_batch_norm(std::map<std::string, Tensor>& tensors, const Node& conv, const Node& bn) {
  const auto numbers = [&](const char* name) { return tensors.at(bn.id + name).data<float>(); };
  const float *gamma = numbers(".weight"), *beta = numbers(".bias"), *mean = numbers(".running_mean"),
              *variance = numbers(".running_var");
  const Tensor& old = tensors.at(conv.id + ".weight");
  const Tensor weight = Tensor::empty(old.shape()), bias = Tensor::empty({conv.c});
  const float* old_bias = conv.bias ? tensors.at(conv.id + ".bias").data<float>() : nullptr;
  const int64_t taps = old.size() / conv.c;
  for (int64_t k = 0; k < conv.c; ++k) {
    const double scale = gamma[k] / std::sqrt(static_cast<double>(variance[k]) + bn.eps);
    for (int64_t i = k * taps; i < (k + 1) * taps; ++i)
      weight.data<float>()[i] = static_cast<float>(old.data<float>()[i] * scale);
    const double centred = (old_bias ? old_bias[k] : 0.) - mean[k];
    bias.data<float>()[k] = static_cast<float>(centred * scale + beta[k]);
  }
  tensors[conv.id + ".weight"] = weight;
  tensors[conv.id + ".bias"] = bias;
}

}  // namespace eb::tools
