#include "engine/model/plan.h"

#include <algorithm>

#include "engine/bfp/block_arena.h"
#include "engine/bfp/block_conv2d.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"
#include "engine/ops/pool2d.h"

namespace eb::engine {

namespace {

using Consumers = std::vector<std::vector<int>>;

// The only reader of `node` if it has one and is of kind `op`, else -1. The output must stay visible.
int sole_reader(const Graph& g, const Consumers& readers, int node, Op op) {
  if (node == g.output || readers[node].size() != 1) return -1;
  const int reader = readers[node][0];
  return g.nodes[reader].op == op ? reader : -1;
}

// Extends a bn step over select, residual add and relu, in the order the kernel computes them.
void fuse_batch_norm(const Graph& g, const Consumers& readers, Step& step, std::vector<bool>& done) {
  const auto take = [&](int node) { return done[node] = true, step.output = node; };
  if (const int s = sole_reader(g, readers, step.output, Op::select); s >= 0) {
    if (!g.nodes[s].select_all) step.select = s;
    take(s);
  }
  if (const int a = sole_reader(g, readers, step.output, Op::add); a >= 0) {
    const auto& in = g.nodes[a].in;
    const int other = in[0] == step.output ? in[1] : in[0];
    // The residual must exist by now: of two batch norms that meet in an add, the later one takes it.
    if (other < step.node) {
      step.other = other;
      take(a);
    }
  }
  if (const int r = sole_reader(g, readers, step.output, Op::relu); r >= 0) {
    step.relu = true;
    take(r);
  }
}

struct Context {
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

// Evaluation has random numbers of its own, and is not counted.
Rounding Context::rounding(int node, RoundedTensor what) const {
  const Precision& p = options.blocks->precision;
  const uint32_t id = rounding_id(node, what);
  if (!options.train) return {p.eval_rounding, options.evaluation, id};
  return {p.rounding, p.seed, id, options.step, options.blocks->node_counts(node, what)};
}

// Whether convolutions read samples that have an exponent each.
bool Context::rounds_samples() const {
  if (!options.blocks) return false;
  const Precision& p = options.blocks->precision;
  return p.conv_inputs && p.activation.block == BlockFormat::Block::dim0;
}

Tensor Context::take_rounded(int node) {
  Tensor& kept = rounded[node];
  if (!kept.defined())
    kept = quantize(dense(values[node]), options.blocks->precision.activation,
                    rounding(node, RoundedTensor::input), largest[node]);
  take(node);
  return readers[node] > 0 ? kept : std::move(kept);
}

Tensor run_conv(const Step& s, Context& c) {
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

Tensor run_batch_norm(const Step& s, Context& c) {
  const Node& n = c.graph.nodes[s.node];
  NodeWeights& w = c.weights[s.node];
  BatchNormOptions o{n.eps, c.options.bn_momentum.value_or(n.momentum), s.relu, c.options.train};
  if (s.select >= 0) o.select = c.weights[s.select].select;
  o.moments = std::move(c.moments[s.input]);
  if (s.largest && c.rounds_samples()) o.largest = &c.largest[s.output];
  return batch_norm(c.take(s.input), w.gamma, w.beta, w.running_mean.data<float>(),
                    w.running_var.data<float>(), s.other >= 0 ? c.take_dense(s.other) : Tensor(), o);
}

Tensor run_linear(const Step& s, Context& c) {
  const Conv2dWeights& w = c.weights[s.node].conv;
  return linear(c.take_dense(s.input), w.w, w.b, c.options.deterministic);
}

Pool2dOptions pool_options(const Node& n) {
  return {{n.kernel[0], n.kernel[1]}, {n.stride[0], n.stride[1]}, {n.pad[0], n.pad[1]}};
}

Tensor run_max_pool(const Step& s, Context& c) {
  return max_pool2d(c.take_dense(s.input), pool_options(c.graph.nodes[s.node]));
}

Tensor run_avg_pool(const Step& s, Context& c) {
  return avg_pool2d(c.take_dense(s.input), pool_options(c.graph.nodes[s.node]));
}

Tensor run_global_avg_pool(const Step& s, Context& c) {
  return global_avg_pool2d(c.take_dense(s.input));
}

Tensor run_relu(const Step& s, Context& c) {
  return relu(c.take_dense(s.input));
}

Tensor run_add(const Step& s, Context& c) {
  return add(c.take_dense(s.input), c.take_dense(s.other));
}

Tensor run_select(const Step& s, Context& c) {
  const Tensor& keep = c.weights[s.node].select;
  return keep.defined() ? select(c.take_dense(s.input), keep) : c.take(s.input);
}

using Run = Tensor (*)(const Step&, Context&);

// Indexed by Op; the input node is no step.
constexpr Run runs[] = {nullptr,      run_conv,     run_batch_norm,      run_relu,  run_add, run_select,
                        run_max_pool, run_avg_pool, run_global_avg_pool, run_linear};
static_assert(static_cast<size_t>(Op::linear) + 1 == std::size(runs));

}  // namespace

std::vector<Step> make_steps(const Graph& g, bool fuse) {
  const Consumers readers = g.consumers();
  std::vector<bool> done(g.nodes.size());
  std::vector<Step> steps;
  for (int i = 1; i < static_cast<int>(g.nodes.size()); ++i) {
    if (done[i]) continue;
    const Node& n = g.nodes[i];
    Step step{i, n.in[0], n.in.size() > 1 ? n.in[1] : -1};
    step.output = i;
    if (fuse && n.op == Op::bn) {
      fuse_batch_norm(g, readers, step, done);
      step.largest =
          std::ranges::any_of(readers[step.output], [&](int r) { return g.nodes[r].op == Op::conv; });
    }
    step.moments = fuse && n.op == Op::conv && sole_reader(g, readers, i, Op::bn) >= 0;
    steps.push_back(step);
  }
  return steps;
}

Tensor run_steps(const Graph& g, const std::vector<Step>& steps, std::vector<NodeWeights>& weights,
                 const Tensor& x, const RunOptions& options) {
  const size_t n = g.nodes.size();
  Context c{g,
            weights,
            options,
            std::vector<Tensor>(n),
            std::vector<int>(n),
            std::vector<Moments>(n),
            std::vector<Tensor>(n),
            std::vector<Tensor>(n)};
  for (const Step& s : steps) {
    ++c.readers[s.input];
    if (s.other >= 0) ++c.readers[s.other];
  }
  ++c.readers[g.output];
  c.values[0] = x;
  for (const Step& s : steps) c.values[s.output] = runs[static_cast<size_t>(g.nodes[s.node].op)](s, c);
  return c.take_dense(g.output);
}

}  // namespace eb::engine
