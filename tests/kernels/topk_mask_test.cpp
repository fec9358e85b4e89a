// The mask against a stable sort, the kept counts of docs/method.md 1.1, and the awkward numbers.
#include "kernels/topk_mask.h"

#include <algorithm>
#include <numeric>

#include "support/devices.h"

namespace eb::test {
namespace {

using kernels::TopkMask;
using Rule = TopkMask::Rule;

const TopkMask& kernel = kernels::topk_mask(test_device().device);

struct Drawn {
  TopkMask::Result result;
  std::vector<uint64_t> mask;
  bool keeps(int64_t i) const { return mask[i / 64] >> (i % 64) & 1; }
};

Drawn draw(Rule rule, const Floats& scores, int64_t k) {
  const auto total = static_cast<int64_t>(scores.size());
  std::vector<uint64_t> mask((total + 63) / 64, ~uint64_t{0});
  TopkMask::Result result;
  {
    Staged on;
    const TopkMask::Params p{rule, total, k};
    kernel.draw(p, {.scores = {on(scores)},
                    .mask = on(mask),
                    .result = on(result),
                    .workspace = on.workspace(kernel.workspace_bytes(p))});
  }
  return {result, mask};
}

std::vector<bool> bits(const Drawn& d, int64_t total) {
  std::vector<bool> v(total);
  for (int64_t i = 0; i < total; ++i) v[i] = d.keeps(i);
  return v;
}

// Prune the first k of a stable sort by |score|.
std::vector<bool> exact_k_by_sort(const Floats& scores, int64_t k) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return std::abs(scores[a]) < std::abs(scores[b]); });
  std::vector<bool> keep(scores.size(), true);
  for (int64_t i = 0; i < k; ++i) keep[order[i]] = false;
  return keep;
}

std::vector<bool> reference_by_sort(const Floats& scores, int64_t k) {
  Floats sorted;
  for (float s : scores) sorted.push_back(std::abs(s));
  std::sort(sorted.begin(), sorted.end());
  std::vector<bool> keep;
  for (float s : scores) keep.push_back(std::abs(s) > sorted[k]);
  return keep;
}

void expect_both_rules(const Floats& scores, int64_t k) {
  const auto total = static_cast<int64_t>(scores.size());
  const Drawn exact = draw(Rule::exact_k, scores, k), reference = draw(Rule::reference, scores, k);
  const auto want_exact = exact_k_by_sort(scores, k), want_reference = reference_by_sort(scores, k);
  EXPECT_EQ(bits(exact, total), want_exact);
  EXPECT_EQ(exact.result.kept, total - k);
  EXPECT_EQ(bits(reference, total), want_reference);
  EXPECT_EQ(reference.result.kept, std::count(want_reference.begin(), want_reference.end(), true));
  for (const Drawn& d : {exact, reference}) {
    EXPECT_FALSE(d.result.has_nan);
    const uint64_t unused = total % 64 ? d.mask.back() >> (total % 64) : 0;
    EXPECT_EQ(unused, 0u);
  }
}

TEST(TopkMask, MatchesAStableSort) {
  for (int64_t total : {1, 2, 63, 64, 65, 1000, 30000}) {
    const Floats scores = to_floats(normal(total, total));
    for (int64_t k : {int64_t{0}, total / 3, total / 2, total - 1}) expect_both_rules(scores, k);
  }
}

TEST(TopkMask, MatchesAStableSortWithTies) {
  Floats scores = to_floats(normal(5000, 1));
  for (float& s : scores) s = std::round(s * 4) / 4;
  for (int64_t k = 0; k < 5000; k += 311) expect_both_rules(scores, k);
  expect_both_rules(Floats(130, 0.5f), 65);
}

TEST(TopkMask, ZerosSubnormalsAndInfinitiesHaveTheirOrder) {
  const Floats scores{-0.f, 1e-45f, 0.f, -1e-40f, 1e-38f, INFINITY, -1e-45f, -0.f, -INFINITY, 3e38f};
  for (int64_t k = 0; k < 10; ++k) expect_both_rules(scores, k);
}

// docs/method.md 1.1, table of kept counts without ties; exact_k prunes one channel fewer.
TEST(TopkMask, KeptCountsOfTheReferenceNetworks) {
  struct Row {
    int64_t total;
    int64_t kept[4];
  };
  constexpr double ratios[] = {.1, .3, .5, .7};
  for (const Row& row : {Row{4224, {3801, 2956, 2111, 1267}}, Row{7408, {6667, 5185, 3703, 2222}},
                         Row{12112, {10900, 8478, 6055, 3633}}, Row{4800, {4319, 3359, 2399, 1439}},
                         Row{26560, {23903, 18591, 13279, 7967}}}) {
    Floats scores(row.total);  // distinct, in no order
    for (int64_t i = 0; i < row.total; ++i)
      scores[i] = static_cast<float>(i * 7919 % row.total + 1) * (i % 2 ? 1 : -1);
    for (int r = 0; r < 4; ++r) {
      const auto k = static_cast<int64_t>(static_cast<double>(row.total) * ratios[r]);
      EXPECT_EQ(draw(Rule::reference, scores, k).result.kept, row.kept[r])
          << row.total << " at " << ratios[r];
      EXPECT_EQ(draw(Rule::exact_k, scores, k).result.kept, row.total - k)
          << row.total << " at " << ratios[r];
    }
  }
}

TEST(TopkMask, Threshold) {
  const Floats scores{4, -1, 3, -2, 5};
  EXPECT_EQ(draw(Rule::exact_k, scores, 2).result.threshold, 2.f);
  EXPECT_EQ(draw(Rule::exact_k, scores, 0).result.threshold, 0.f);
  EXPECT_EQ(draw(Rule::reference, scores, 2).result.threshold, 3.f);
}

TEST(TopkMask, NanGivesNoMask) {
  for (float bad : {NAN, -NAN}) {
    Floats scores(100, 1.f);
    scores[99] = bad;
    for (Rule rule : {Rule::exact_k, Rule::reference}) {
      const Drawn d = draw(rule, scores, 30);
      EXPECT_TRUE(d.result.has_nan);
      EXPECT_EQ(d.result.kept, 0);
      EXPECT_EQ(d.mask, (std::vector<uint64_t>{0, 0}));
    }
  }
}

// The scales of a network lie scattered in its arena; the masks of a window lie one after the other.
TEST(TopkMask, GathersByIndexAndComparesWithTheWindow) {
  const int64_t total = 1500, window = 5, words = TopkMask::words(total);
  const Floats arena = to_floats(normal(4000, 1));
  std::vector<int32_t> index(total);
  Floats gathered;
  for (int64_t i = 0; i < total; ++i) {
    index[i] = static_cast<int32_t>(i * 1009 % 4000);
    gathered.push_back(arena[index[i]]);
  }
  std::vector<uint64_t> fifo(window * words), mask(words);
  for (size_t i = 0; i < fifo.size(); ++i)
    fifo[i] = i * 0x9E3779B97F4A7C15u & (i % words == 23 ? 0xfffffffu : ~0ull);
  std::vector<int64_t> distances(window, -1);
  TopkMask::Result result;
  {
    Staged on;
    const TopkMask::Params p{Rule::exact_k, total, total / 2, window};
    kernel.draw(p, {.scores = {on(arena), on(index)},
                    .fifo = on(fifo),
                    .mask = on(mask),
                    .result = on(result),
                    .distances = on(distances),
                    .workspace = on.workspace(kernel.workspace_bytes(p))});
  }
  EXPECT_EQ(mask, draw(Rule::exact_k, gathered, total / 2).mask);
  EXPECT_EQ(result.kept, total - total / 2);
  for (int64_t w = 0; w < window; ++w)
    EXPECT_EQ(distances[w], kernel.hamming(total, mask.data(), &fifo[w * words]));
}

// A channel that several batch norms share has one score.
TEST(TopkMask, MergesScoresByMeanOrLargest) {
  const int64_t total = 1100;
  const Floats arena = to_floats(normal(3000, 7));
  std::vector<int32_t> index, first{0};
  Floats mean, largest;
  for (int64_t i = 0; i < total; ++i) {
    double sum = 0;
    float most = 0;
    for (int64_t j = 0; j <= i % 4; ++j) {
      index.push_back(static_cast<int32_t>((i * 1013 + j * 501) % 3000));
      sum += std::abs(double{arena[index.back()]});
      most = std::max(most, std::abs(arena[index.back()]));
    }
    first.push_back(static_cast<int32_t>(index.size()));
    mean.push_back(static_cast<float>(sum / static_cast<double>(i % 4 + 1)));
    largest.push_back(most);
  }
  for (const bool by_largest : {false, true}) {
    std::vector<uint64_t> mask(TopkMask::words(total));
    TopkMask::Result result;
    {
      Staged on;
      const TopkMask::Params p{Rule::exact_k, total, 400, 0, by_largest};
      kernel.draw(p, {.scores = {on(arena), on(index), on(first)},
                      .mask = on(mask),
                      .result = on(result),
                      .workspace = on.workspace(kernel.workspace_bytes(p))});
    }
    const Drawn want = draw(Rule::exact_k, by_largest ? largest : mean, 400);
    EXPECT_EQ(mask, want.mask);
    EXPECT_EQ(result.threshold, want.result.threshold);
  }
}

TEST(TopkMask, HammingCountsDifferingBits) {
  const std::vector<uint64_t> a{0xff, 0, 1}, b{0x0f, ~uint64_t{0}, 1};
  EXPECT_EQ(kernel.hamming(130, a.data(), b.data()), 68);
  EXPECT_EQ(kernel.hamming(64, a.data(), b.data()), 4);
  EXPECT_EQ(kernel.hamming(130, a.data(), a.data()), 0);
}

}  // namespace
}  // namespace eb::test
