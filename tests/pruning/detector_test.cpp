// When a ticket has emerged (docs/method.md 3), the packed mask history, and the search as a whole.
#include "pruning/detector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "pruning/early_bird.h"
#include "support/error_code.h"
#include "support/pruning_models.h"
#include "support/run_engine.h"
#include "support/temp_dir.h"
#include "support/values.h"

using namespace eb;
using namespace eb::pruning;
using eb::test::code_of;
using Compare = EarlyBirdDetector::Compare;

namespace {

constexpr int64_t bits = 100;

// A mask whose first `ones` channels live: its distance to another is the difference of their counts / 100.
std::vector<uint64_t> mask(int ones) {
  std::vector<uint64_t> m(2, 0);
  for (int i = 0; i < ones; ++i) m[i / 64] |= uint64_t{1} << (i % 64);
  return m;
}

// Index of the first push that emerged, or -1.
int emergence(const EarlyBirdDetector::Config& config, const std::vector<int>& ones) {
  EarlyBirdDetector detector(config, bits);
  for (size_t i = 0; i < ones.size(); ++i)
    if (detector.push(mask(ones[i])).emerged) return static_cast<int>(i);
  return -1;
}

}  // namespace

TEST(Detector, waits_for_a_full_window) {
  EXPECT_EQ(emergence({}, {50, 50, 50, 50, 50}), 4);
  EXPECT_EQ(emergence({}, {50, 50, 50, 50}), -1);
  EXPECT_EQ(emergence({.window = 2}, {50, 50}), 1);
}

TEST(Detector, a_distance_at_the_threshold_is_small_enough_and_one_above_is_not) {
  EXPECT_EQ(emergence({}, {40, 40, 40, 40, 50}), 4);
  EXPECT_EQ(emergence({}, {39, 40, 40, 40, 50}), -1);
  EXPECT_EQ(emergence({}, {39, 40, 40, 40, 50, 50}), 5) << "the far mask has left the window";
}

TEST(Detector, newest_against_window_sees_a_slow_drift_that_neighbours_do_not) {
  const std::vector<int> drift = {20, 28, 36, 44, 52, 60};
  EXPECT_EQ(emergence({.compare = Compare::newest_vs_window}, drift), -1);
  EXPECT_EQ(emergence({.compare = Compare::consecutive}, drift), 4);
}

TEST(Detector, an_early_mask_unlike_all_others_only_delays) {
  // The mask of equal scales, if somebody pushed it: all zero (docs/method.md 3.2).
  EXPECT_EQ(emergence({}, {0, 50, 50, 50, 50, 50}), 5);
}

TEST(Detector, distances_are_listed_oldest_first) {
  EarlyBirdDetector detector({}, bits);
  EXPECT_TRUE(detector.push(mask(10)).distances.empty());
  detector.push(mask(20));
  EXPECT_EQ(detector.push(mask(25)).distances, (std::vector<double>{0.15, 0.05}));
}

TEST(Detector, goes_on_from_its_saved_window) {
  EarlyBirdDetector a({}, bits), b({}, bits);
  for (int ones : {39, 40, 40}) a.push(mask(ones));
  b.load(nlohmann::json::parse(a.save().dump()));
  for (int ones : {41, 42, 43}) {
    const auto x = a.push(mask(ones)), y = b.push(mask(ones));
    EXPECT_EQ(x.distances, y.distances);
    EXPECT_EQ(x.emerged, y.emerged);
  }
  EarlyBirdDetector other({}, 64);
  EXPECT_EQ(code_of([&] { other.load(a.save()); }), 4040);
}

TEST(MaskHistory, keeps_every_mask_and_forgets_what_a_resumed_run_repeats) {
  const TempDir dir;
  const auto path = dir.path() / "masks" / "p50.bits";
  MaskHistory first(path, bits, 0);
  for (int ones : {10, 20, 40}) first.append(mask(ones));
  EXPECT_EQ(std::filesystem::file_size(path), 16u + 3 * 16);
  const auto d = pairwise_distances(read_mask_history(path));
  EXPECT_EQ(d, (std::vector<double>{0, 0.1, 0.3, 0.1, 0, 0.2, 0.3, 0.2, 0}));
  MaskHistory resumed(path, bits, 1);
  resumed.append(mask(30));
  const MaskRecords r = read_mask_history(path);
  EXPECT_EQ(r.bits, bits);
  EXPECT_EQ(r.masks, (std::vector<std::vector<uint64_t>>{mask(10), mask(30)}));
}

TEST(MaskHistory, a_record_cut_short_is_dropped_and_garbage_is_refused) {
  const TempDir dir;
  const auto path = dir.path() / "p50.bits";
  MaskHistory(path, bits, 0).append(mask(10));
  const std::string bytes = test::slurp(path);
  test::spit(path, bytes + "half a record");
  EXPECT_EQ(read_mask_history(path).masks.size(), 1u);
  for (size_t size = 0; size < 16; ++size) {
    test::spit(path, bytes.substr(0, size));
    EXPECT_EQ(code_of([&] { read_mask_history(path); }), 4041) << size;
  }
  test::spit(path, std::string("EBMASKS1") + std::string(8, '\xff'));
  EXPECT_EQ(code_of([&] { read_mask_history(path); }), 4041);
  EXPECT_EQ(code_of([&] { MaskHistory(path, bits, 1); }), 4041) << "another network's, or garbage";
  test::spit(path, bytes);
  EXPECT_EQ(code_of([&] { MaskHistory(path, bits + 64, 1); }), 4041);
  EXPECT_EQ(code_of([&] { MaskHistory(path, bits, 5); }), 4041) << "shorter than the checkpoint says";
  EXPECT_EQ(test::slurp(path), bytes) << "what is refused is left as it was";
  EXPECT_EQ(MaskHistory(dir.path() / "gone.bits", bits, 5).records(), 0);
}

namespace {

EarlyBirdConfig search_config() {
  EarlyBirdConfig c;
  c.watch = {0.3, 0.5};
  c.detector.window = 3;
  return c;
}

// Moves the scales by `amount`, less each time as training would.
void disturb(engine::Model& m, double amount, uint64_t seed) {
  for (int bn : m.graph().bn_nodes()) {
    const engine::Parameter& p = *m.find(bn, engine::Parameter::Kind::bn_gamma);
    const auto noise = test::normal(p.count, seed + static_cast<uint64_t>(bn));
    for (int64_t i = 0; i < p.count; ++i) m.value(p)[i] += static_cast<float>(amount * noise[i]);
  }
}

}  // namespace

TEST(EarlyBird, finds_the_ticket_once_masks_stand_still_and_resumes_in_the_middle) {
  const TempDir dir;
  engine::Model m = test::pruning_model("vgg16");
  const auto total = static_cast<int64_t>(bn_scores(m, Rule::exact_k, Merge::mean).values.size());
  EarlyBird straight(search_config(), total, dir.path() / "a", 10, 200);
  auto resumed = std::make_unique<EarlyBird>(search_config(), total, dir.path() / "b", 10, 200);
  for (int epoch = 1; epoch <= 8; ++epoch) {
    disturb(m, epoch < 5 ? 0.5 : 0.001, 1000 * static_cast<uint64_t>(epoch));
    const auto a = straight.check(m, epoch, epoch * 10), b = resumed->check(m, epoch, epoch * 10);
    EXPECT_EQ(a.masks, b.masks);
    EXPECT_EQ(straight.decision(), resumed->decision());
    EXPECT_EQ(straight.decision() == EarlyBird::Decision::draw, epoch >= 6) << epoch;
    const auto state = search_from_json(nlohmann::json::parse(to_json(resumed->save()).dump()));
    resumed = std::make_unique<EarlyBird>(search_config(), total, dir.path() / "b", 10, 200);
    resumed->load(state);
  }
  EXPECT_EQ(straight.summary().epochs, resumed->summary().epochs);
  EXPECT_EQ(straight.summary().epochs["p50"], 6);
  EXPECT_EQ(test::slurp(dir.path() / "a/p30.bits"), test::slurp(dir.path() / "b/p30.bits"));
  EXPECT_EQ(read_mask_history(dir.path() / "a/p30.bits").masks.size(), 8u);
}

TEST(EarlyBird, does_at_the_deadline_what_it_was_told) {
  using OnNotFound = EarlyBirdConfig::OnNotFound;
  const std::pair<OnNotFound, EarlyBird::Decision> table[] = {
      {OnNotFound::draw_at_deadline, EarlyBird::Decision::draw_at_deadline},
      {OnNotFound::continue_dense, EarlyBird::Decision::continue_dense},
      {OnNotFound::fail, EarlyBird::Decision::fail}};
  for (const auto& [rule, want] : table) {
    const TempDir dir;
    engine::Model m = test::pruning_model("vgg16");
    EarlyBirdConfig config = search_config();
    config.on_not_found = rule;
    config.deadline = engine::Duration{engine::Duration::Unit::epochs, 3};
    EarlyBird search(config, 1056, dir.path(), 10, 200);
    for (int epoch = 1; epoch <= 3; ++epoch) {
      disturb(m, 0.5, 1000 * static_cast<uint64_t>(epoch));
      search.check(m, epoch, epoch * 10);
      EXPECT_EQ(search.decision(), epoch < 3 ? EarlyBird::Decision::keep_searching : want);
    }
  }
}

TEST(EarlyBird, draws_when_it_was_told_and_not_when_the_ticket_emerges) {
  const TempDir dir;
  const engine::Model still = test::pruning_model("vgg16");  // its ticket emerges with the first full window
  EarlyBirdConfig config = search_config();
  config.draw_at = engine::Duration{engine::Duration::Unit::epochs, 7};
  EarlyBird search(config, 1056, dir.path(), 10, 200);
  for (int epoch = 1; epoch <= 7; ++epoch) {
    search.check(still, epoch, epoch * 10);
    EXPECT_EQ(search.decision(),
              epoch < 7 ? EarlyBird::Decision::keep_searching : EarlyBird::Decision::draw_at);
  }
  EXPECT_LT(search.summary().epochs["p50"], 7);
}

TEST(EarlyBird, is_told_a_step_and_decides_there_without_a_mask) {
  const TempDir dir;
  const engine::Model m = test::pruning_model("vgg16");
  EarlyBirdConfig config = search_config();
  config.deadline = engine::Duration{engine::Duration::Unit::steps, 17};
  EarlyBird search(config, 1056, dir.path(), 10, 200);
  search.check(m, 1, 10);
  EXPECT_FALSE(search.told(10) || search.told(16) || search.told(18));
  ASSERT_TRUE(search.told(17));
  EXPECT_EQ(search.decision(), EarlyBird::Decision::keep_searching);
  search.move_to(1, 17);
  EXPECT_EQ(search.decision(), EarlyBird::Decision::draw_at_deadline);
  EXPECT_EQ(search.draw(m, 0.5).step, 17);
  EXPECT_EQ(read_mask_history(dir.path() / "p50.bits").masks.size(), 1u);
}

TEST(EarlyBird, another_searchs_state_is_refused) {
  const TempDir dir;
  const engine::Model m = test::pruning_model("vgg16");
  EarlyBird search(search_config(), 1056, dir.path(), 10, 200);
  search.check(m, 1, 10);
  EarlyBirdConfig other = search_config();
  other.watch = {0.3, 0.5, 0.7};
  EXPECT_EQ(code_of([&] { EarlyBird(other, 1056, dir.path(), 10, 200).load(search.save()); }), 4040);
  EXPECT_EQ(code_of([&] { EarlyBird(search_config(), 1000, dir.path(), 10, 200).load(search.save()); }),
            4040);
}

TEST(EarlyBird, a_nan_scale_is_an_error_and_not_a_stable_mask) {
  const TempDir dir;
  engine::Model m = test::pruning_model("vgg16");
  EarlyBird search(search_config(), 1056, dir.path(), 10, 200);
  for (int epoch = 1; epoch <= 2; ++epoch) search.check(m, epoch, epoch * 10);
  const int last = m.graph().bn_nodes().back();
  m.value(*m.find(last, engine::Parameter::Kind::bn_gamma))[0] = std::nanf("");
  EXPECT_EQ(code_of([&] { search.check(m, 3, 30); }), 7002);
  EXPECT_EQ(search.decision(), EarlyBird::Decision::keep_searching);
}

TEST(EarlyBird, names_ratios_as_metrics_do) {
  EXPECT_EQ(ratio_name(0.3), "p30");
  EXPECT_EQ(ratio_name(0.125), "p12.5");
}
