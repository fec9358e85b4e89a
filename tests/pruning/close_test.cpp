// Closing a ticket: what a group keeps when its masks disagree, are too thin, or are rounded, and how that is
// told.
#include "pruning/close.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "pruning/protect.h"
#include "pruning/shortfall.h"
#include "support/error_code.h"
#include "support/pruning_models.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;

namespace {

Mask& mask_of(Ticket& t, const std::string& bn) {
  return *std::find_if(t.masks.begin(), t.masks.end(), [&](const Mask& m) { return m.bn == bn; });
}

int64_t kept(Ticket& t, const std::string& bn) {
  const auto& keep = mask_of(t, bn).keep;
  return std::count(keep.begin(), keep.end(), uint8_t{1});
}

const Hold* hold_of(const ClosedTicket& closed, const std::string& bn) {
  for (const Hold& h : closed.holds)
    if (h.bn == bn) return &h;
  return nullptr;
}

void expect_hold(const ClosedTicket& closed, const std::string& bn, const std::string& why, int64_t drawn,
                 int64_t kept) {
  const Hold* h = hold_of(closed, bn);
  ASSERT_TRUE(h) << bn;
  EXPECT_EQ(h->why, why);
  EXPECT_EQ(h->drawn, drawn);
  EXPECT_EQ(h->kept, kept);
}

// A ticket that keeps the first `count` channels of every layer.
Ticket keep_first(const Model& m, int64_t count) {
  Ticket t = draw_ticket(m, {0.5});
  for (Mask& mask : t.masks)
    for (size_t c = 0; c < mask.keep.size(); ++c) mask.keep[c] = static_cast<int64_t>(c) < count;
  return t;
}

// A ticket that keeps every channel but those of `bn`, where the first `count` live.
Ticket keep_first(const Model& m, const std::string& bn, int64_t count) {
  Ticket t = draw_ticket(m, {0.5});
  for (Mask& mask : t.masks) std::fill(mask.keep.begin(), mask.keep.end(), uint8_t{1});
  auto& keep = mask_of(t, bn).keep;
  std::fill(keep.begin() + count, keep.end(), uint8_t{0});
  return t;
}

}  // namespace

// feature.1 of the thin VGG16 has 16 channels, feature.8 32.
TEST(Close, rounds_up_or_to_the_nearest_but_never_below_min_channels_or_above_the_layer) {
  const Model m = test::pruning_model("vgg16");
  struct Row {
    int64_t drawn, min_channels, round_to;
    bool up;
    int64_t want;
  };
  const Row rows[] = {{5, 1, 1, true, 5},    {5, 1, 4, true, 8},    {5, 1, 4, false, 4},
                      {6, 1, 4, false, 8},   {8, 1, 8, true, 8},    {1, 1, 8, false, 8},
                      {0, 1, 1, true, 1},    {0, 1, 8, true, 8},    {3, 10, 8, true, 16},
                      {3, 10, 8, false, 16}, {3, 10, 4, false, 12}, {15, 1, 7, true, 16},
                      {3, 99, 1, true, 16},  {2, 1, 100, true, 16}, {16, 1, 16, true, 16}};
  for (const Row& r : rows) {
    auto closed = close_ticket(keep_first(m, "feature.1", r.drawn), m,
                               {.min_channels = r.min_channels,
                                .round_to = r.round_to,
                                .round = r.up ? RoundTo::up : RoundTo::nearest});
    EXPECT_EQ(kept(closed.ticket, "feature.1"), r.want)
        << r.drawn << " min " << r.min_channels << " round " << r.round_to << (r.up ? " up" : " nearest");
    EXPECT_EQ(hold_of(closed, "feature.1") != nullptr, r.want != r.drawn);
  }
}

TEST(Close, the_best_of_the_pruned_come_back_and_the_worst_of_the_kept_go) {
  Model m = test::pruning_model("vgg16");
  const Parameter& gamma = *m.find(m.graph().find("feature.1"), Parameter::Kind::bn_gamma);
  for (int64_t i = 0; i < 16; ++i) m.value(gamma)[i] = (i % 2 ? 1.f : -1.f) * static_cast<float>(16 - i);
  auto up = close_ticket(keep_first(m, "feature.1", 5), m, {.round_to = 8});
  EXPECT_EQ(mask_of(up.ticket, "feature.1").keep,
            (std::vector<uint8_t>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  expect_hold(up, "feature.1", "round_to", 5, 8);
  auto down = close_ticket(keep_first(m, "feature.1", 5), m, {.round_to = 4, .round = RoundTo::nearest});
  EXPECT_EQ(mask_of(down.ticket, "feature.1").keep,
            (std::vector<uint8_t>{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  for (int64_t i = 0; i < 16; ++i) m.value(gamma)[i] = i == 11 ? -9.f : 1.f;
  auto empty = close_ticket(keep_first(m, "feature.1", 0), m, {});
  EXPECT_EQ(mask_of(empty.ticket, "feature.1").keep[11], 1) << "the largest |gamma|, whatever its sign";
  expect_hold(empty, "feature.1", "min_channels", 0, 1);
}

TEST(Close, a_residual_stream_keeps_what_any_of_its_batch_norms_wants) {
  const Model m = test::pruning_model("resnet18");
  Ticket t = keep_first(m, "bn1", 3);
  auto& second = mask_of(t, "layer1.0.bn2").keep;
  auto& third = mask_of(t, "layer1.1.bn2").keep;
  std::fill(second.begin(), second.end(), uint8_t{0});
  std::fill(third.begin(), third.end(), uint8_t{0});
  second[5] = third[5] = third[7] = 1;
  auto closed = close_ticket(t, m, {});
  const std::vector<uint8_t> want = {1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const char* bn : {"bn1", "layer1.0.bn2", "layer1.1.bn2"})
    EXPECT_EQ(mask_of(closed.ticket, bn).keep, want) << bn;
  expect_hold(closed, "bn1", "shared", 1, 5);
  EXPECT_EQ(closed.holds.size(), 1u);
}

// Channel 0 has the best mean of the three batch norms, channel 9 the largest single scale.
TEST(Close, a_shared_group_ranks_by_the_merge_rule) {
  Model m = test::pruning_model("resnet18");
  for (const char* bn : {"bn1", "layer1.0.bn2", "layer1.1.bn2"}) {
    float* gamma = m.value(*m.find(m.graph().find(bn), Parameter::Kind::bn_gamma));
    std::fill(gamma, gamma + 16, 0.5f);
    gamma[0] = 2.f;
    gamma[9] = std::string(bn) == "bn1" ? 3.f : 0.1f;
  }
  const auto survivor = [&](Merge merge) {
    Ticket t = keep_first(m, 0);
    ClosedTicket closed = close_ticket(t, m, {.merge = merge});
    const auto& keep = mask_of(closed.ticket, "bn1").keep;
    return std::find(keep.begin(), keep.end(), uint8_t{1}) - keep.begin();
  };
  EXPECT_EQ(survivor(Merge::mean), 0);
  EXPECT_EQ(survivor(Merge::max), 9);
}

TEST(Close, protected_and_unprunable_layers_keep_every_channel) {
  const Model m = test::pruning_model("custom");
  auto closed = close_ticket(keep_first(m, 1), m, {.protect = {"d_*"}});
  EXPECT_EQ(kept(closed.ticket, "d_bn"), 18);
  EXPECT_EQ(kept(closed.ticket, "c_bn"), 16) << "a grouped convolution reads it";
  EXPECT_EQ(kept(closed.ticket, "g_bn"), 16) << "a grouped convolution writes it";
  expect_hold(closed, "d_bn", "protect", 1, 18);
  expect_hold(closed, "c_bn", "unprunable", 1, 16);
}

// Over all batch norms: what a ticket prunes less than it was asked to.
TEST(Close, holds_count_every_channel_that_came_back) {
  for (const char* net : {"vgg16", "preresnet20"}) {
    const Model m = test::pruning_model(net);
    Ticket t = draw_ticket(m, {0.7});
    const int64_t before = t.kept();
    CloseConfig config{.min_channels = 12, .round_to = 8};
    config.protect = {m.graph().nodes[m.graph().bn_nodes()[3]].id};
    const ClosedTicket closed = close_ticket(std::move(t), m, config);
    int64_t returned = 0;
    for (const Hold& h : closed.holds) returned += h.returned;
    EXPECT_GT(returned, 0);
    EXPECT_EQ(closed.ticket.kept(), before + returned) << net;
  }
}

TEST(Shortfall, names_both_counts_and_the_reasons) {
  DrawRecord draw;
  draw.ratio = 0.5;
  EXPECT_EQ(shortfall(draw), "") << "of an older run";
  draw.asked = 528, draw.pruned = 528;
  EXPECT_EQ(shortfall(draw), "");
  draw.pruned = 490;
  draw.returned = {{"min_channels", 30}, {"round_to", -2}, {"unprunable", 10}, {"shared", 0}};
  EXPECT_EQ(shortfall(draw),
            "the ticket prunes 490 of the 528 channels that p = 0.5 asks for: 30 came back by "
            "early_bird.min_channels, 2 more went by early_bird.round_to, 10 came back in layers that cannot "
            "be pruned");
}

TEST(Close, globs_match_whole_ids) {
  const Model m = test::pruning_model("vgg16");
  const std::pair<const char*, std::vector<std::string>> table[] = {
      {"feature.1", {"feature.1"}},
      {"*.4", {"feature.4"}},
      {"*4*", {"feature.4", "feature.41"}},
      {"f*.*1", {"feature.1", "feature.11", "feature.21", "feature.31", "feature.41"}},
  };
  for (const auto& [glob, want] : table) {
    std::vector<std::string> got;
    for (const Hold& h : close_ticket(keep_first(m, 1), m, {.protect = {glob}}).holds) got.push_back(h.bn);
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, want) << glob;
  }
}

TEST(Close, a_pattern_that_matches_nothing_is_refused) {
  const Model m = test::pruning_model("vgg16");
  for (const std::string glob : {"feature.1?", "feature", "", "feature.0", "faeture.1*"}) {
    EXPECT_EQ(test::code_of([&] {
                close_ticket(keep_first(m, 1), m, {.protect = {"feature.1", glob}});
              }),
              2005)
        << glob;
  }
  try {
    check_protect(m.graph(), {"faeture.11*"});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(e.hint().find("feature.11"), std::string::npos) << e.hint();
  }
}

TEST(Close, every_layer_survives_even_where_nothing_was_kept) {
  for (const auto& name : test::pruning_graph_names()) {
    const Model m = test::pruning_model(name);
    for (const Mask& mask : close_ticket(keep_first(m, 0), m, {}).ticket.masks)
      EXPECT_GE(std::count(mask.keep.begin(), mask.keep.end(), uint8_t{1}), 1) << name << " " << mask.bn;
  }
}

TEST(Close, another_networks_ticket_is_refused) {
  const Model a = test::pruning_model("vgg16"), b = test::pruning_model("preresnet20");
  EXPECT_EQ(test::code_of([&] { close_ticket(draw_ticket(a, {0.5}), b, {}); }), 4034);
}
