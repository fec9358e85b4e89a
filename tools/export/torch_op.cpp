#include "tools/export/torch_op.h"

#include <fmt/format.h>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/op_spec.h"

namespace eb::tools {

using namespace engine;
using Layout = TorchOp::Layout;

std::string pair_text(const int64_t (&pair)[2]) {
  return pair[0] == pair[1] ? std::to_string(pair[0]) : fmt::format("({}, {})", pair[0], pair[1]);
}

static bool is_pair(const int64_t (&pair)[2], int64_t value) {
  return pair[0] == value && pair[1] == value;
}

namespace {

std::string conv_layer(const TorchLayer& l) {
  const Node& n = l.node;
  std::string text = fmt::format("nn.Conv2d({}, {}, {}, stride={}", l.in_channels, l.out_channels,
                                 pair_text(n.kernel), l.stride);
  if (!is_pair(n.pad, 0)) text += fmt::format(", padding={}", pair_text(n.pad));
  if (n.groups != 1) text += fmt::format(", groups={}", n.groups);
  return text + (n.bias ? ")" : ", bias=False)");
}

std::string bn_layer(const TorchLayer& l) {
  std::string text = fmt::format("nn.BatchNorm{}d({}", l.is_row ? 1 : 2, l.out_channels);
  if (l.node.eps != 1e-5f) text += fmt::format(", eps={}", l.node.eps);
  if (l.node.momentum != 0.1f) text += fmt::format(", momentum={}", l.node.momentum);
  return text + ")";
}

std::string linear_layer(const TorchLayer& l) {
  std::string in = l.in_channels;
  if (l.input.h * l.input.w != 1) in += fmt::format(" * {}", l.input.h * l.input.w);
  return fmt::format("nn.Linear({}, {}{})", in, l.out_channels, l.node.bias ? "" : ", bias=False");
}

std::string select_layer(const TorchLayer& l) {
  return fmt::format("ChannelSelect({}, {})", l.in_channels, l.out_channels);
}

std::string relu_layer(const TorchLayer&) {
  return "nn.ReLU()";
}

std::string relu_call(const Node&, const std::string& x) {
  return fmt::format("F.relu({})", x);
}

// Arguments of F.max_pool2d(x, ...) and nn.MaxPool2d(...), and of the average's.
std::string pool_arguments(const Node& n) {
  for (int axis : {0, 1})
    if (n.pad[axis] > n.kernel[axis] / 2)
      throw Error(errors::export_unsupported,
                  fmt::format("node \"{}\" pads by {}: PyTorch's pools take at most half the kernel ({})",
                              n.id, n.pad[axis], n.kernel[axis]),
                  "a smaller pad in model.graph");
  std::string text = pair_text(n.kernel);
  if (n.stride[0] != n.kernel[0] || n.stride[1] != n.kernel[1])
    text += fmt::format(", stride={}", pair_text(n.stride));
  if (!is_pair(n.pad, 0)) text += fmt::format(", padding={}", pair_text(n.pad));
  return text;
}

std::string max_pool_layer(const TorchLayer& l) {
  return fmt::format("nn.MaxPool2d({})", pool_arguments(l.node));
}

std::string max_pool_call(const Node& n, const std::string& x) {
  return fmt::format("F.max_pool2d({}, {})", x, pool_arguments(n));
}

std::string avg_pool_layer(const TorchLayer& l) {
  return fmt::format("nn.AvgPool2d({})", pool_arguments(l.node));
}

std::string avg_pool_call(const Node& n, const std::string& x) {
  return fmt::format("F.avg_pool2d({}, {})", x, pool_arguments(n));
}

std::string global_layer(const TorchLayer&) {
  return "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())";
}

std::string global_call(const Node&, const std::string& x) {
  return fmt::format("{}.mean((2, 3))", x);
}

constexpr Layout any = Layout::as_it_comes, map = Layout::map, row = Layout::row;

// The graph's input is the argument of forward(), an add is written by ForwardWriter::sum.
// clang-format off
constexpr OpRow<TorchOp> torch_ops[] = {
    {Op::input, {.reads = map, .writes = map}},
    {Op::conv, {.reads = map, .writes = map, .channels = "_out", .layer = conv_layer}},
    {Op::bn, {.reads = any, .writes = any, .layer = bn_layer}},
    {Op::relu, {.reads = any, .writes = any, .layer = relu_layer, .call = relu_call}},
    {Op::add, {.reads = any, .writes = any}},
    {Op::select, {.reads = any, .writes = any, .channels = "_kept", .layer = select_layer}},
    {Op::max_pool, {.reads = map, .writes = map, .layer = max_pool_layer, .call = max_pool_call}},
    {Op::avg_pool, {.reads = map, .writes = map, .layer = avg_pool_layer, .call = avg_pool_call}},
    {Op::global_avg_pool, {.reads = map, .writes = row, .layer = global_layer, .call = global_call}},
    {Op::linear, {.reads = row, .writes = row, .channels = "_out", .layer = linear_layer}},
};
// clang-format on
static_assert(covers_every_op(torch_ops));

}  // namespace

const TorchOp& torch_op(const Node& n) {
  if (const TorchOp* op = find_row(torch_ops, n.op)) return *op;
  throw Error(errors::export_unknown_op,
              fmt::format("node \"{}\": the op \"{}\" has no form in PyTorch", n.id, n.op->name),
              "other ops in model.graph");
}

bool has_state(const Node& n) {
  return n.op->parameters || n.op->buffers;
}

}  // namespace eb::tools
