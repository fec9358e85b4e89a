// A ticket: which channels of every batch norm live. Drawn from |gamma| (docs/method.md 1.1), closed over
// channel groups, saved as one U8 tensor per batch norm under its id.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/enum_names.h"
#include "engine/model/model.h"
#include "kernels/topk_mask.h"

namespace eb::kernels {
constexpr auto enum_names(TopkMask::Rule) {
  return engine::names("exact_k", "reference");
}
}  // namespace eb::kernels

namespace eb::pruning {

using Rule = kernels::TopkMask::Rule;
enum class Merge : uint8_t { mean, max };  // score of a channel that several batch norms share
constexpr auto enum_names(Merge) {
  return engine::names("mean", "max");
}

struct Mask {
  std::string bn;             // id of the batch norm
  std::vector<uint8_t> keep;  // (its channels) 1 or 0
};

struct Ticket {
  double ratio = 0;
  int64_t epoch = 0, step = 0;
  Rule rule = Rule::exact_k;
  float threshold = 0;
  std::vector<Mask> masks;  // in batch norm order
  std::vector<double> distances;
  std::string graph_hash;  // of the dense graph it belongs to
  int64_t total() const;
  int64_t kept() const;
};

struct DrawConfig {
  double ratio = 0.5;  // in (0, 1)
  Rule rule = Rule::exact_k;
  Merge merge = Merge::mean;
};

// |gamma| of every channel that can still be pruned away, in batch norm order. For Rule::exact_k the members
// of a shared channel group carry one merged score, so that their masks agree. Channels a select already
// dropped are out.
struct Scores {
  std::vector<int> bn;                         // batch norm nodes
  std::vector<std::vector<int32_t>> channels;  // per batch norm: which of its channels the scores are of
  std::vector<float> values;                   // concatenated
};
Scores bn_scores(const engine::Model& model, Rule rule, Merge merge);

// For each channel that several batch norms share: the positions of its scores.
std::vector<std::vector<size_t>> shared_scores(const engine::Graph& graph, const Scores& scores);

struct PackedMask {
  int64_t bits = 0;
  std::vector<uint64_t> words;
  float threshold = 0;
  int64_t kept = 0;
};
// Error 7002 if a score is NaN: a detector that sees NaN must not call it stable. Error 2030 unless 0 < ratio
// < 1.
PackedMask draw_mask(const Scores& scores, double ratio, Rule rule);
int64_t pruned_count(int64_t bits, double ratio);  // how many of `bits` a ratio prunes; Error 2030, 2031
void check_drawn(const kernels::TopkMask::Result& result);  // Error 7002

// A mask of `graph` layer by layer, as it was ranked: not closed over channel groups. Error 4041 if it has
// another number of bits.
Ticket unpack_mask(const engine::Graph& graph, const std::vector<uint64_t>& words, int64_t bits);

Ticket draw_ticket(const engine::Model& model, const DrawConfig& config);
// Uniform random |gamma| instead of the model's; for benches and as a control.
Ticket random_ticket(const engine::Graph& graph, double ratio, uint64_t seed);
// Random channels, as many in every batch norm as `ticket` keeps there. Channels that additions tie together
// stay tied if they are in `ticket`, as in every closed one.
Ticket shuffled_ticket(Ticket ticket, const engine::Graph& graph, uint64_t seed);

std::string graph_hash(const engine::Graph& graph);

// Also writes <select id>.indexes (F32 0/1) for every select whose batch norm has a mask (docs/method.md 7).
void save_ticket(const Ticket& ticket, const engine::Graph& graph, const std::filesystem::path& path);
// Strict against `graph`: Error 4030 missing, 4031 unexpected, 4032 shape, dtype or value, 4033 metadata.
Ticket load_ticket(const std::filesystem::path& path, const engine::Graph& graph);

}  // namespace eb::pruning
