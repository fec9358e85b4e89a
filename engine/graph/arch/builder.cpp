#include "engine/graph/arch/builder.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::engine {

GraphBuilder::GraphBuilder(const ArchOptions& options) : width_(options.width) {
  if (!(width_ > 0 && width_ <= 64))
    throw Error(errors::unknown_architecture, "width must be greater than 0 and at most 64",
                "1 is the published network");
  Node node{.id = "x", .op = Op::input};
  node.c = options.input[0], node.h = options.input[1], node.w = options.input[2];
  append(std::move(node));
}

int GraphBuilder::append(Node node) {
  graph_.nodes.push_back(std::move(node));
  return static_cast<int>(graph_.nodes.size()) - 1;
}

static Node windowed(const std::string& id, Op op, int x, Window w) {
  Node node{.id = id, .op = op, .in = {x}};
  for (int axis : {0, 1}) node.kernel[axis] = w.kernel, node.stride[axis] = w.stride, node.pad[axis] = w.pad;
  return node;
}

int GraphBuilder::conv(const std::string& id, int x, int64_t out_channels, Window window, bool bias) {
  Node node = windowed(id, Op::conv, x, window);
  node.out_channels = out_channels;
  node.bias = bias;
  return append(std::move(node));
}

int GraphBuilder::bn(const std::string& id, int x) {
  return append({.id = id, .op = Op::bn, .in = {x}});
}

int GraphBuilder::relu(const std::string& id, int x) {
  return append({.id = id, .op = Op::relu, .in = {x}});
}

int GraphBuilder::add(const std::string& id, int a, int b) {
  return append({.id = id, .op = Op::add, .in = {a, b}});
}

int GraphBuilder::select_all(const std::string& id, int x) {
  return append({.id = id, .op = Op::select, .in = {x}});
}

int GraphBuilder::max_pool(const std::string& id, int x, Window window) {
  return append(windowed(id, Op::max_pool, x, window));
}

int GraphBuilder::avg_pool(const std::string& id, int x, int64_t height, int64_t width) {
  Node node{.id = id, .op = Op::avg_pool, .in = {x}};
  node.kernel[0] = node.stride[0] = height;
  node.kernel[1] = node.stride[1] = width;
  return append(std::move(node));
}

int GraphBuilder::global_avg_pool(const std::string& id, int x) {
  return append({.id = id, .op = Op::global_avg_pool, .in = {x}});
}

int GraphBuilder::linear(const std::string& id, int x, int64_t out_features) {
  Node node{.id = id, .op = Op::linear, .in = {x}};
  node.out_channels = out_features;
  node.bias = true;
  return append(std::move(node));
}

int64_t GraphBuilder::scaled(int64_t channels) const {
  return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width_));
}

Graph GraphBuilder::finish(int output) {
  graph_.output = output;
  graph_.infer_shapes();
  return std::move(graph_);
}

}  // namespace eb::engine
