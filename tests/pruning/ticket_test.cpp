// Drawing by the exact rule of docs/method.md 1.1, and tickets on disk.
#include "pruning/ticket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "engine/base/file.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/graph/arch/arch.h"
#include "pruning/close.h"
#include "support/error_code.h"
#include "support/pruning_models.h"
#include "support/temp_dir.h"
#include "support/values.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;
using eb::test::code_of;

namespace {

Graph paper_graph(const std::string& arch, int depth) {
  ArchOptions o;
  o.depth = depth;
  if (arch == "resnet") o.input[1] = o.input[2] = 224, o.num_classes = 1000;
  return build_arch(arch, o);
}

// Scales in no order and without ties.
Scores random_scores(const Graph& g) {
  Scores s;
  int64_t total = 0;
  for (int bn : g.bn_nodes()) total += g.nodes[bn].c;
  for (int64_t i = 0; i < total; ++i) s.values.push_back(static_cast<float>(1 + i * 7919 % total));
  return s;
}

struct Row {
  const char* arch;
  int depth;
  int64_t total, kept[4];  // at p = 0.1, 0.3, 0.5, 0.7
};

// Table of docs/method.md 1.1.
const Row rows[] = {{"vgg", 16, 4224, {3801, 2956, 2111, 1267}},
                    {"preresnet", 101, 7408, {6667, 5185, 3703, 2222}},
                    {"preresnet", 164, 12112, {10900, 8478, 6055, 3633}},
                    {"resnet", 18, 4800, {4319, 3359, 2399, 1439}},
                    {"resnet", 50, 26560, {23903, 18591, 13279, 7967}}};
const double ratios[] = {0.1, 0.3, 0.5, 0.7};

}  // namespace

TEST(Ticket, kept_counts_of_the_paper_networks) {
  for (const Row& row : rows) {
    const Scores s = random_scores(paper_graph(row.arch, row.depth));
    ASSERT_EQ(static_cast<int64_t>(s.values.size()), row.total) << row.arch << row.depth;
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(draw_mask(s, ratios[i], Rule::reference).kept, row.kept[i]) << row.arch << row.depth;
      EXPECT_EQ(draw_mask(s, ratios[i], Rule::exact_k).kept,
                row.total - static_cast<int64_t>(static_cast<double>(row.total) * ratios[i]));
    }
  }
}

TEST(Ticket, equal_scales_all_go_by_the_reference_rule_and_by_order_with_exact_k) {
  Model m(test::pruning_graph("vgg16"), DType::f32);
  initialize(m, {}, 1);  // every gamma is 0.5
  EXPECT_EQ(draw_ticket(m, {0.5, Rule::reference}).kept(), 0);
  const Ticket t = draw_ticket(m, {0.5, Rule::exact_k});
  EXPECT_EQ(t.kept(), t.total() - t.total() / 2);
  EXPECT_EQ(t.masks.front().keep.front(), 0);
  EXPECT_EQ(t.masks.back().keep.back(), 1);
}

TEST(Ticket, members_of_a_shared_group_get_one_mask) {
  const Model m = test::pruning_model("resnet18");
  const Ticket t = draw_ticket(m, {0.5});
  const auto mask = [&](const std::string& id) {
    for (const Mask& one : t.masks)
      if (one.bn == id) return one.keep;
    ADD_FAILURE() << id;
    return std::vector<uint8_t>();
  };
  EXPECT_EQ(mask("bn1"), mask("layer1.0.bn2"));
  EXPECT_EQ(mask("layer1.1.bn2"), mask("layer1.0.bn2"));
  EXPECT_EQ(mask("layer2.0.downsample.1"), mask("layer2.1.bn2"));
  EXPECT_NE(mask("layer1.0.bn1"), mask("layer1.0.bn2"));
  // The reference rule judges every batch norm alone, for parity of counts.
  const Ticket r = draw_ticket(m, {0.5, Rule::reference});
  EXPECT_EQ(r.kept(), r.total() - r.total() / 2 - 1);
}

TEST(Ticket, nan_and_senseless_ratios_are_refused) {
  Model m = test::pruning_model("vgg16");
  for (double ratio : {0.0, 1.0, -0.5, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(code_of([&] { draw_ticket(m, {ratio}); }), 2030) << ratio;
  m.value(*m.find(m.graph().bn_nodes()[2], Parameter::Kind::bn_gamma))[1] =
      std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code_of([&] { draw_ticket(m, {0.5}); }), 7002);
  EXPECT_EQ(code_of([&] { draw_ticket(m, {0.5, Rule::reference}); }), 7002);
}

TEST(Ticket, merged_scores_are_the_mean_or_the_largest_of_the_group) {
  Model m = test::pruning_model("resnet18");
  for (const char* bn : {"bn1", "layer1.0.bn2", "layer1.1.bn2"}) {
    const Parameter& gamma = *m.find(m.graph().find(bn), Parameter::Kind::bn_gamma);
    for (int64_t i = 0; i < gamma.count; ++i) m.value(gamma)[i] = bn[0] == 'b' ? -0.75f : 0.25f * float(i);
  }
  // Batch norms come in node order, the stem's first.
  const Scores mean = bn_scores(m, Rule::exact_k, Merge::mean),
               most = bn_scores(m, Rule::exact_k, Merge::max),
               own = bn_scores(m, Rule::reference, Merge::mean);
  for (int i = 0; i < 16; ++i) {
    EXPECT_FLOAT_EQ(mean.values[i], (0.75f + 2 * 0.25f * float(i)) / 3);
    EXPECT_FLOAT_EQ(most.values[i], std::max(0.75f, 0.25f * float(i)));
    EXPECT_EQ(own.values[i], 0.75f);
  }
}

TEST(TicketFile, round_trip_with_the_selects_of_a_preresnet) {
  const TempDir dir;
  const Model m = test::pruning_model("preresnet20");
  Ticket t = draw_ticket(m, {0.3});
  t.epoch = 7, t.step = 99, t.distances = {0.125, 0.0625};
  save_ticket(t, m.graph(), dir / "t.safetensors");
  const Ticket back = load_ticket(dir / "t.safetensors", m.graph());
  EXPECT_EQ(back.ratio, t.ratio);
  EXPECT_EQ(back.epoch, t.epoch);
  EXPECT_EQ(back.step, t.step);
  EXPECT_EQ(back.graph_hash, t.graph_hash);
  EXPECT_EQ(back.threshold, t.threshold);
  EXPECT_EQ(back.distances, t.distances);
  EXPECT_EQ(back.rule, Rule::exact_k);
  ASSERT_EQ(back.masks.size(), t.masks.size());
  for (size_t i = 0; i < t.masks.size(); ++i) EXPECT_EQ(back.masks[i].keep, t.masks[i].keep) << t.masks[i].bn;
  const auto file = read_safetensors(dir / "t.safetensors");
  ASSERT_TRUE(file.tensors.count("layer1.0.select.indexes"));
  const auto& indexes = file.tensors.at("layer1.0.select.indexes");
  for (int64_t i = 0; i < indexes.size(); ++i)
    EXPECT_EQ(indexes.data<float>()[i], float(file.tensors.at("layer1.0.bn1").data<uint8_t>()[i]));
}

TEST(TicketFile, hostile_files_are_refused_by_name) {
  const TempDir dir;
  const Model m = test::pruning_model("preresnet20");
  const auto path = dir / "t.safetensors";
  save_ticket(draw_ticket(m, {0.3}), m.graph(), path);
  const SafetensorsFile good = read_safetensors(path);
  const auto code = [&](const std::function<void(SafetensorsFile&)>& change) {
    SafetensorsFile bad = good;
    for (auto& [name, t] : bad.tensors) {  // tensors share storage: change a copy
      Tensor copy = Tensor::empty(t.shape(), t.dtype());
      std::copy_n(static_cast<const uint8_t*>(t.raw()), t.bytes(), static_cast<uint8_t*>(copy.raw()));
      t = copy;
    }
    change(bad);
    replace_file(path, to_safetensors(bad));
    return code_of([&] { load_ticket(path, m.graph()); });
  };
  EXPECT_EQ(code([](SafetensorsFile&) {}), 0);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors.erase("bn"); }), 4030);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors["other"] = Tensor::zeros({3}, DType::u8); }), 4031);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors["fc.indexes"] = Tensor::zeros({3}, DType::u8); }), 4031);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors["bn"] = Tensor::zeros({3}, DType::u8); }), 4032);
  EXPECT_EQ(
      code([](SafetensorsFile& f) { f.tensors["bn"] = Tensor::zeros(f.tensors["bn"].shape(), DType::f32); }),
      4032);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors["bn"].data<uint8_t>()[0] = 2; }), 4032);
  EXPECT_EQ(code([](SafetensorsFile& f) { f.tensors["select.indexes"].data<float>()[0] = 0.5f; }), 4032);
  const std::pair<const char*, const char*> senseless[] = {
      {"ratio", "half"},    {"ratio", "null"},        {"epoch", "-1"},
      {"step", "1e300"},    {"step", "1.5"},          {"threshold", "[0]"},
      {"distances", "0.5"}, {"distances", "[\"a\"]"}, {"epoch", "99999999999999999999999999"}};
  for (const auto& [key, value] : senseless)
    EXPECT_EQ(code([&](SafetensorsFile& f) { f.metadata[key] = value; }), 4033) << key << " " << value;
  EXPECT_EQ(code([](SafetensorsFile& f) { f.metadata.clear(); }), 0) << "masks are all that is needed";
  const Model other = test::pruning_model("vgg16");
  replace_file(path, to_safetensors(good));
  EXPECT_EQ(code_of([&] { load_ticket(path, other.graph()); }), 4030);
}

TEST(TicketFile, a_damaged_or_missing_file_names_itself) {
  const TempDir dir;
  const Model m = test::pruning_model("vgg16");
  const auto path = dir / "t.safetensors";
  save_ticket(draw_ticket(m, {0.3}), m.graph(), path);
  const std::string bytes = read_file(path);
  for (size_t size : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_synced(path, bytes.substr(0, size));
    const Error e = test::error_of([&] { load_ticket(path, m.graph()); });
    EXPECT_EQ(e.code() / 1000, 4) << size;
    EXPECT_NE(e.message().find("t.safetensors"), std::string::npos) << e.message();
  }
  std::filesystem::remove(path);
  EXPECT_NE(test::error_of([&] { load_ticket(path, m.graph()); }).message().find("t.safetensors"),
            std::string::npos);
}

TEST(Ticket, a_shuffled_ticket_keeps_as_many_channels_in_every_layer_but_others) {
  const Model m = test::pruning_model("preresnet20");
  const Ticket t = close_ticket(draw_ticket(m, {0.5, Rule::exact_k, Merge::mean}), m, {}).ticket;
  const Ticket a = shuffled_ticket(t, m.graph(), 3), b = shuffled_ticket(t, m.graph(), 3);
  bool moved = false;
  for (size_t i = 0; i < t.masks.size(); ++i) {
    const auto& keep = t.masks[i].keep;
    EXPECT_EQ(std::count(a.masks[i].keep.begin(), a.masks[i].keep.end(), 1),
              std::count(keep.begin(), keep.end(), 1));
    EXPECT_EQ(a.masks[i].keep, b.masks[i].keep);
    moved = moved || a.masks[i].keep != keep;
  }
  EXPECT_TRUE(moved);
  // Channels that additions tie together went the same way: closing finds nothing to unite.
  const Ticket again = close_ticket(a, m, {}).ticket;
  for (size_t i = 0; i < a.masks.size(); ++i) EXPECT_EQ(again.masks[i].keep, a.masks[i].keep);
  EXPECT_NE(shuffled_ticket(t, m.graph(), 4).masks[0].keep, a.masks[0].keep);
}

TEST(Ticket, random_tickets_hit_their_ratio_and_repeat) {
  const Graph g = test::pruning_graph("vgg16");
  const Ticket a = random_ticket(g, 0.7, 3), b = random_ticket(g, 0.7, 3), c = random_ticket(g, 0.7, 4);
  EXPECT_EQ(a.kept(), a.total() - static_cast<int64_t>(static_cast<double>(a.total()) * 0.7));
  EXPECT_EQ(a.masks[0].keep, b.masks[0].keep);
  EXPECT_NE(a.masks[5].keep, c.masks[5].keep);
}
