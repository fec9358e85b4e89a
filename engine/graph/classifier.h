// The layer that gives a network its classes, and the same network for other classes or images of another
// size.
#pragma once
#include "engine/graph/graph.h"

namespace eb::engine {

// Index of the linear layer or convolution whose channels are the classes: the output, or what the output
// comes from through nothing but pools and activations. Error 4067 if there is none, or others read it too.
int classifier_of(const Graph& graph);

// Both infer the shapes again: error 21xx if they do not meet any more.
Graph with_classes(Graph graph, int64_t classes);
Graph with_image_size(Graph graph, int64_t height, int64_t width);

}  // namespace eb::engine
