#include "engine/model/run_op.h"

#include <stdexcept>

#include "engine/bfp/block_arena.h"
#include "engine/bfp/block_conv2d.h"
#include "engine/graph/op_spec.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/pool2d.h"

namespace eb::engine {

// Evaluation has random numbers of its own, and is not counted.
Rounding RunContext::rounding(int node, RoundedTensor what) const {
  const Precision& p = options.blocks->precision;
  const uint32_t id = rounding_id(node, what);
  if (!options.train) return {p.eval_rounding, options.evaluation, id};
  return {p.rounding,          p.seed, id, options.step, options.blocks->node_counts(node, what),
          options.first_sample};
}

// Whether convolutions read samples that have an exponent each.
bool RunContext::rounds_samples() const {
  if (!options.blocks) return false;
  const Precision& p = options.blocks->precision;
  return p.conv_inputs && p.activation.block == BlockFormat::Block::dim0;
}

Tensor RunContext::take_rounded(int node) {
  Tensor& kept = rounded[node];
  if (!kept.defined())
    kept = quantize(dense(values[node]), options.blocks->precision.activation,
                    rounding(node, RoundedTensor::input), largest[node]);
  take(node);
  return readers[node] > 0 ? kept : std::move(kept);
}

namespace {

Tensor run_conv(const Step& s, RunContext& c) {
  const Node& n = c.graph.nodes[s.node];
  const Conv2dOptions o{
      {n.stride[0], n.stride[1]}, {n.pad[0], n.pad[1]}, n.groups, c.options.deterministic, c.options.conv};
  Conv2dWeights& w = c.weights[s.node].conv;
  if (!c.options.blocks)
    return conv2d(c.take(s.input), w, o, s.moments && c.options.train ? &c.moments[s.output] : nullptr);
  const Precision& p = c.options.blocks->precision;
  return block_conv2d(p.conv_inputs ? c.take_rounded(s.input) : c.take_dense(s.input), w,
                      {o, p.activation, p.error, c.rounding(s.node, RoundedTensor::output),
                       c.rounding(s.node, RoundedTensor::error), p.integer});
}

Tensor run_batch_norm(const Step& s, RunContext& c) {
  const Node& n = c.graph.nodes[s.node];
  NodeWeights& w = c.weights[s.node];
  BatchNormOptions o{n.eps, c.options.bn_momentum.value_or(n.momentum), s.relu, c.options.train};
  if (s.select >= 0) o.select = c.weights[s.select].select;
  o.moments = std::move(c.moments[s.input]);
  if (s.largest && c.rounds_samples()) o.largest = &c.largest[s.output];
  return batch_norm(c.take(s.input), w.gamma, w.beta, c.options.place_of(w.running_mean),
                    c.options.place_of(w.running_var), s.other >= 0 ? c.take_dense(s.other) : Tensor(), o);
}

Tensor run_linear(const Step& s, RunContext& c) {
  const Conv2dWeights& w = c.weights[s.node].conv;
  return linear(c.take_dense(s.input), w.w, w.b, c.options.deterministic);
}

Pool2dOptions pool_options(const Node& n) {
  return {{n.kernel[0], n.kernel[1]}, {n.stride[0], n.stride[1]}, {n.pad[0], n.pad[1]}};
}

Tensor run_max_pool(const Step& s, RunContext& c) {
  return max_pool2d(c.take_dense(s.input), pool_options(c.graph.nodes[s.node]));
}

Tensor run_avg_pool(const Step& s, RunContext& c) {
  return avg_pool2d(c.take_dense(s.input), pool_options(c.graph.nodes[s.node]));
}

Tensor run_global_avg_pool(const Step& s, RunContext& c) {
  return global_avg_pool2d(c.take_dense(s.input));
}

Tensor run_relu(const Step& s, RunContext& c) {
  return relu(c.take_dense(s.input));
}

Tensor run_add(const Step& s, RunContext& c) {
  return add(c.take_dense(s.input), c.take_dense(s.other));
}

Tensor run_select(const Step& s, RunContext& c) {
  const Tensor& keep = c.weights[s.node].select;
  return keep.defined() ? select(c.take_dense(s.input), keep) : c.take(s.input);
}

// The graph's input is no step.
constexpr OpRow<RunOp> runs[] = {
    {Op::input, nullptr},         {Op::conv, run_conv},         {Op::bn, run_batch_norm},
    {Op::relu, run_relu},         {Op::add, run_add},           {Op::select, run_select},
    {Op::max_pool, run_max_pool}, {Op::avg_pool, run_avg_pool}, {Op::global_avg_pool, run_global_avg_pool},
    {Op::linear, run_linear}};
static_assert(covers_every_op(runs));

}  // namespace

Tensor run_op(const Step& step, RunContext& context) {
  const Node& n = context.graph.nodes[step.node];
  const RunOp* row = find_row(runs, n.op);
  const RunOp run = row ? *row : n.op->run;
  if (!run) throw std::logic_error("[run_op] the op " + std::string(n.op->name) + " has no run");
  return run(step, context);
}

}  // namespace eb::engine
