// A ticket is a rewrite: (graph, parameters, statistics, momentum, mask) -> a smaller model, general over
// channel groups. Invariant, tested for every architecture: compact(x) == masked(x), forward and gradients.
#pragma once
#include "pruning/close.h"

namespace eb::pruning {

enum class MomentumRule : uint8_t { carry, reset };
constexpr auto enum_names(MomentumRule) {
  return engine::names("carry", "reset");
}

// The network that the closed ticket leaves, without numbers. A batch norm on a tensor that others read too
// gets a select behind it if the graph has none.
engine::Graph compact_graph(const engine::Graph& graph, const Ticket& closed);

// `closed` must come from close_ticket with this model.
engine::Model compact(const engine::Model& model, const Ticket& closed, MomentumRule momentum);

// The same for a ticket that may be padded: padding channels have no scale and nothing reads them, so they
// are zero, have zero gradients and stay zero.
engine::Model compact(const engine::Model& model, const ClosedTicket& closed, MomentumRule momentum);
void zero_padding(engine::Model& small, const engine::Graph& graph, const ClosedTicket& closed);

engine::Model clone(const engine::Model& model);
// The same network with gamma = beta = 0 on pruned channels.
engine::Model masked_model(const engine::Model& model, const Ticket& closed);
// Keeps pruned channels dead through an update: zeroes their gamma, beta, gradients and momentum.
void freeze_masked(engine::Model& model, const Ticket& closed);

struct LayerChange {
  std::string id, op;
  int64_t channels_before, channels_after, params_before, params_after, flops_before, flops_after;
};
// Per layer with parameters, for a dry run.
std::vector<LayerChange> plan_compaction(const engine::Graph& graph, const Ticket& closed);

}  // namespace eb::pruning
