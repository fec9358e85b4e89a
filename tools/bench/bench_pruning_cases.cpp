// `bench kernels`: drawing masks and compacting networks, which only this engine does.
#include <fmt/format.h>

#include "engine/model/model.h"
#include "kernels/topk_mask.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "tools/bench/bench_buffer.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using namespace engine;
using kernels::TopkMask;

namespace {

constexpr int64_t window = 5;  // masks in the FIFO, as in the paper

// Scores in runs of 64 that lie apart, as scales do between the weights of an arena.
constexpr int64_t run = 64, run_distance = 4096;

BenchBuffer arena_index(Device device, int64_t total) {
  std::vector<int32_t> index(static_cast<size_t>(total));
  for (int64_t i = 0; i < total; ++i) index[i] = static_cast<int32_t>(i / run * run_distance + i % run);
  BenchBuffer buffer(device, index.size() * sizeof(int32_t));
  kernels::memory(device).to_device(buffer.get(), index.data(), buffer.bytes());
  return buffer;
}

// Mask of half the channels and its distances to the earlier ones; one launch on a card.
BenchCase topk_case(Device device, const LazyCase& lazy, TopkMask::Rule rule, int64_t total) {
  const int64_t arena = (total / run + 1) * run_distance;
  const auto words = static_cast<size_t>(TopkMask::words(total));
  const TopkMask& kernel = kernels::topk_mask(device);
  const TopkMask::Params p{.rule = rule, .total = total, .k = total / 2, .window = window};
  struct Buffers {
    BenchBuffer scores, index, fifo, mask, result, distances, workspace;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, arena, DType::f32},
                                             arena_index(device, total),
                                             {device, words * window * sizeof(uint64_t)},
                                             {device, words * sizeof(uint64_t)},
                                             {device, sizeof(TopkMask::Result)},
                                             {device, window * sizeof(int64_t)},
                                             {device, kernel.workspace_bytes(p)}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(total) * sizeof(float) +
            static_cast<double>(b->index.bytes() + b->fifo.bytes() + b->mask.bytes());
  c.run = [&kernel, p, b] {
    kernel.draw(p, {.scores = {b->scores.get<float>(), b->index.get<int32_t>()},
                    .fifo = b->fifo.get<uint64_t>(),
                    .mask = b->mask.get<uint64_t>(),
                    .result = b->result.get<TopkMask::Result>(),
                    .distances = b->distances.get<int64_t>(),
                    .workspace = b->workspace.get()});
  };
  return c;
}

// A whole compaction: lists to the device, a new model, gathers of weights, momentum and statistics.
BenchCase compaction_case(Device device, DType dtype, const LazyCase& lazy, double prune) {
  auto model = std::make_shared<Model>(build_arch("vgg", {.depth = 16}), dtype, device);
  initialize(*model, {}, 1);
  const auto ticket =
      pruning::close_ticket(pruning::random_ticket(model->graph(), prune, 1), *model, {}).ticket;
  const auto compacted = [model, ticket] {
    return pruning::compact(*model, ticket, pruning::MomentumRule::carry);
  };
  BenchCase c{lazy.family, lazy.name, ""};
  // Weights and momentum, each read and written once.
  c.bytes = 4.0 * sizeof(float) * static_cast<double>(compacted().parameter_count());
  c.run = [compacted] { compacted(); };
  return c;
}

}  // namespace

void add_pruning_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const std::pair<const char*, int64_t> totals[] = {
      {"vgg16", 4224}, {"preresnet101", 7408}, {"resnet18", 4800}, {"resnet50", 26560}};
  for (const auto& [network, total] : totals)
    for (const auto rule : {TopkMask::Rule::exact_k, TopkMask::Rule::reference}) {
      LazyCase lazy{
          "topk_mask", fmt::format("{} {} scales, window {}, {}", network, total, window, name_of(rule)), {}};
      lazy.make = [named = lazy, rule, total = total, device = config.device] {
        return topk_case(device, named, rule, total);
      };
      cases.push_back(lazy);
    }
  for (const double prune : {0.3, 0.5, 0.7}) {
    LazyCase lazy{"compaction", fmt::format("vgg16 p={}", prune), {}};
    lazy.make = [named = lazy, prune, device = config.device, dtype = config.dtype] {
      return compaction_case(device, dtype, named, prune);
    };
    cases.push_back(lazy);
  }
}

}  // namespace eb::tools
