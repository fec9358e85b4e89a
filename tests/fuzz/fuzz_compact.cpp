// Any bytes as a network of any ops and a ticket for it: compaction stays inside its arrays, and the
// compacted network says what the masked one says.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/tensor/autograd.h"
#include "pruning/compact.h"
#include "support/random_graph.h"

using namespace eb;
using namespace eb::engine;

// Scales of both signs away from zero, whatever else between -1 and 1.
static Model any_model(const nlohmann::json& graph, test::Choices numbers) {
  Model m(graph_from_json(graph), kernels::DType::f32);
  for (const Parameter& p : m.parameters())
    for (int64_t i = 0; i < p.count; ++i) {
      const auto v = static_cast<float>(numbers.below(2001) - 1000) / 1000.f;
      m.value(p)[i] = p.kind == Parameter::Kind::bn_gamma ? std::copysign(0.5f + std::abs(v), v) : v;
    }
  m.values_changed();
  return m;
}

static Tensor images(const Model& m, test::Choices numbers) {
  const Node& in = m.graph().nodes[0];
  Tensor x = Tensor::empty({2, in.h, in.w, in.c});
  for (int64_t i = 0; i < x.size(); ++i)
    x.data<float>()[i] = static_cast<float>(numbers.below(2001) - 1000) / 500.f;
  return x;
}

static void expect_same(const Tensor& got, const Tensor& want) {
  float largest = 1;
  for (int64_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::abs(want.data<float>()[i]));
  for (int64_t i = 0; i < want.size(); ++i)
    if (!(std::abs(got.data<float>()[i] - want.data<float>()[i]) <= 1e-3f * largest)) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  test::Choices choices(std::span(data, size));
  const nlohmann::json graph = test::random_graph(choices);
  const Model dense = any_model(graph, test::Choices(size));
  const double ratio = 0.1 + 0.1 * static_cast<double>(choices.below(9));
  const pruning::CloseConfig config = {
      .min_channels = 1 + choices.below(3),
      .round_to = 1 + choices.below(4),
      .round = choices.one_in(2) ? pruning::RoundTo::pad : pruning::RoundTo::up};
  const pruning::ClosedTicket closed = close_ticket(pruning::draw_ticket(dense, {ratio}), dense, config);
  Model masked = masked_model(dense, closed.ticket),
        small = compact(dense, closed, pruning::MomentumRule::carry);
  const NoGrad no_grad;
  const Tensor x = images(dense, test::Choices(size + 1));
  expect_same(small.forward(x, Mode::infer), masked.forward(x, Mode::infer));
  return 0;
}
