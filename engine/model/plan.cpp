#include "engine/model/plan.h"

#include <algorithm>

#include "engine/model/run_op.h"

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
  RunContext c{g,
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
  for (const Step& s : steps) c.values[s.output] = run_op(s, c);
  return c.take_dense(g.output);
}

}  // namespace eb::engine
