// Networks and batches for the pruning tests: small, with scales and statistics that differ in every channel.
#pragma once
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/batch.h"

namespace eb::test {

// "vgg16", "preresnet20", "resnet18", "resnet50" at a fraction of their width, and "custom": depthwise and
// grouped convolutions, a batch norm on a tensor that others read, a branch.
engine::Graph pruning_graph(const std::string& name);
const std::vector<std::string>& pruning_graph_names();
// For devices that take their time: 8x8 images, three convolutions (one strided, an odd count), a residual.
const std::string& tiny_graph_json();
engine::Graph tiny_graph();

// Initialised, every gamma, beta and running statistic random.
engine::Model pruning_model(const std::string& name, uint64_t seed = 1);
engine::Batch random_batch(const engine::Graph& graph, int64_t n, uint64_t seed = 7);
// Forward (train), loss, backward; returns the loss.
double loss_and_gradients(engine::Model& model, const engine::Batch& batch);

}  // namespace eb::test
