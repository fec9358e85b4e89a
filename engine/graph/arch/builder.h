// Appends nodes to a graph, each reading earlier ones by index; every method returns the new node's index.
#pragma once
#include <string>

#include "engine/graph/arch/arch.h"

namespace eb::engine {

struct Window {
  int64_t kernel = 1, stride = 1, pad = 0;
};

class GraphBuilder {
 public:
  explicit GraphBuilder(const ArchOptions& options);

  int input() const { return 0; }
  int conv(const std::string& id, int x, int64_t out_channels, Window window, bool bias = false);
  int bn(const std::string& id, int x);
  int relu(const std::string& id, int x);
  int add(const std::string& id, int a, int b);
  int select_all(const std::string& id, int x);
  int max_pool(const std::string& id, int x, Window window);
  int avg_pool(const std::string& id, int x, int64_t height, int64_t width);  // stride = window
  int global_avg_pool(const std::string& id, int x);
  int linear(const std::string& id, int x, int64_t out_features);  // with bias

  int64_t scaled(int64_t channels) const;  // by options.width
  Graph finish(int output);                // shapes inferred

 private:
  int append(Node node);
  double width_;
  Graph graph_;
};

}  // namespace eb::engine
