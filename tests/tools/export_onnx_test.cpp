// What of the ONNX export needs no Python to judge; onnxruntime is asked in tests/python/export_onnx_test.py.
#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/graph/arch/arch.h"
#include "support/error_code.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"
#include "support/run_engine.h"
#include "tools/export/export.h"
#include "tools/export/onnx_file.h"

using namespace eb;
using namespace eb::test;
using engine::Op;
namespace fs = std::filesystem;

namespace {

const char* grouped = R"({"input": {"id": "x", "shape": [4, 8, 8]}, "output": "fc", "nodes": [
  {"id": "c", "op": "conv", "in": ["x"], "out_channels": 6, "kernel": 3, "groups": 2, "bias": true},
  {"id": "b", "op": "bn", "in": ["c"], "eps": 0.01},
  {"id": "p", "op": "global_avg_pool", "in": ["b"]},
  {"id": "fc", "op": "linear", "in": ["p"], "out_channels": 3}]})";

engine::Graph graph_of(const char* json) {
  return engine::graph_from_json(nlohmann::json::parse(json));
}

engine::Model grouped_model() {
  engine::Model model = random_model(graph_of(grouped), engine::DType::f32);
  const auto& running = model.running(model.graph().find("b"));
  for (int64_t k = 0; k < 6; ++k) {
    running.mean.data<float>()[k] = 0.3f * static_cast<float>(k) - 1;
    running.var.data<float>()[k] = 0.05f * static_cast<float>(k * k) + 0.01f;
  }
  return model;
}

struct Filters {  // of one convolution, on one patch of its input
  const std::map<std::string, engine::Tensor>& tensors;
  double operator()(int64_t k, const std::vector<double>& patch) const {
    const float* w = tensors.at("c.weight").data<float>();
    double sum = tensors.at("c.bias").data<float>()[k];
    for (size_t i = 0; i < patch.size(); ++i) sum += w[k * static_cast<int64_t>(patch.size()) + i] * patch[i];
    return sum;
  }
};

engine::Graph resnet50() {
  engine::ArchOptions options;
  options.depth = 50;
  options.input[1] = options.input[2] = 224;
  options.num_classes = 1000;
  return engine::build_arch("resnet", options);
}

}  // namespace

TEST(OnnxFold, filters_behind_a_batch_norm_give_what_both_give) {
  const engine::Model model = grouped_model();
  const auto before = engine::state_dict(model);
  auto folded = before;
  const auto& nodes = model.graph().nodes;
  tools::fold_batch_norm(folded, nodes[1], nodes[2]);
  const auto number = [&](const char* name, int64_t k) -> double { return before.at(name).data<float>()[k]; };
  for (uint64_t seed = 1; seed < 20; ++seed) {
    const Doubles patch = normal(2 * 3 * 3, seed, 0, 3);
    for (int64_t k = 0; k < 6; ++k) {
      const double y = Filters{before}(k, patch);
      const double centred = (y - number("b.running_mean", k)) / std::sqrt(number("b.running_var", k) + 0.01);
      const double want = centred * number("b.weight", k) + number("b.bias", k);
      EXPECT_NEAR(Filters{folded}(k, patch), want, 1e-5 * (1 + std::abs(want))) << "filter " << k;
    }
  }
}

TEST(OnnxFold, makes_a_bias_where_there_was_none) {
  engine::Graph graph = graph_of(grouped);
  graph.nodes[1].bias = false;
  const engine::Model model = random_model(std::move(graph), engine::DType::f32);
  auto tensors = engine::state_dict(model);
  ASSERT_FALSE(tensors.count("c.bias"));
  tools::fold_batch_norm(tensors, model.graph().nodes[1], model.graph().nodes[2]);
  ASSERT_EQ(tensors.at("c.bias").shape(), engine::Shape{6});
}

TEST(OnnxFold, only_a_convolution_that_nobody_else_reads) {
  const auto names = [](const char* network) {
    const engine::Graph graph = pruning_graph(network);
    std::set<std::string> list;
    for (const auto& [bn, conv] : tools::foldable(graph)) {
      EXPECT_EQ(graph.nodes[bn].in[0], conv);
      EXPECT_EQ(graph.nodes[conv].op, Op::conv);
      list.insert(graph.nodes[bn].id);
    }
    return list;
  };
  EXPECT_EQ(names("vgg16").size(), 13u);
  EXPECT_EQ(names("resnet50").size(), 53u);
  // Each of the six blocks begins with a batch norm of a sum (or of a convolution that the shortcut reads
  // too).
  const auto preresnet = names("preresnet20");
  EXPECT_EQ(preresnet.size(), 12u);
  EXPECT_TRUE(preresnet.count("layer1.0.bn2"));
  EXPECT_FALSE(preresnet.count("layer1.0.bn1"));
  EXPECT_FALSE(preresnet.count("bn"));
}

TEST(OnnxGraph, names_are_unique_and_read_after_they_are_written) {
  for (const auto& network : pruning_graph_names())
    for (bool fold : {false, true}) {
      const engine::Model model = pruning_model(network);
      const auto onnx = tools::onnx_graph(model, fold);
      std::set<std::string> values = {"input"}, nodes;
      for (const auto& t : onnx.tensors) EXPECT_TRUE(values.insert(t.name).second) << t.name;
      for (const auto& n : onnx.nodes) {
        EXPECT_TRUE(nodes.insert(n.name).second) << n.name;
        EXPECT_GE(model.graph().find(n.name.substr(0, n.name.find(':'))), 0) << n.name;
        for (const auto& in : n.in) EXPECT_TRUE(values.count(in)) << n.name << " reads " << in;
        EXPECT_TRUE(values.insert(n.out).second) << n.out;
      }
      EXPECT_TRUE(values.count("logits")) << network;
    }
}

TEST(Onnx, a_build_without_it_says_what_to_install) {
  EXPECT_EQ(tools::no_onnx().code(), 2079);
  EXPECT_NE(tools::no_onnx().hint().find("libonnx-dev"), std::string::npos);
  if (tools::has_onnx()) return;
  const engine::Model model = grouped_model();
  EXPECT_EQ(code_of([&] { tools::export_onnx(model, {"never.onnx", "grouped"}); }), 2079);
  EXPECT_FALSE(fs::exists("never.onnx"));
}

TEST(Onnx, more_than_2_gib_is_refused_by_name) {
  EXPECT_EQ(code_of([] { tools::check_onnx_size("vit", INT_MAX); }), 0);
  const Error e = error_of([] { tools::check_onnx_size("vit", uint64_t{INT_MAX} + 1); });
  EXPECT_EQ(e.code(), 2078);
  EXPECT_NE(e.message().find("vit"), std::string::npos);
}

TEST(Onnx, unwritable_output_leaves_nothing_and_keeps_what_was_there) {
  if (!tools::has_onnx()) GTEST_SKIP() << "built without ONNX";
  const TempDir dir;
  const std::string run = dir / "run", file = dir / "net.onnx";
  ASSERT_EQ(run_engine({"train", tiny_config(dir), "--out", run, "-q", "--max-steps", "1"}).exit_code, 75);
  const auto write = [&](const std::string& out, const std::vector<std::string>& env = {}) {
    return run_engine({"export", run, "--to", "onnx", "-o", out}, {env});
  };
  const Outcome nowhere = write(dir / "no/such/net.onnx");
  EXPECT_EQ(nowhere.exit_code, 8);
  EXPECT_NE(nowhere.err.find("no/such"), std::string::npos) << nowhere.err;
  fs::create_directory(dir / "folder");
  EXPECT_EQ(write(dir / "folder").exit_code, 8);
  ASSERT_EQ(write(file).exit_code, 0);
  const std::string bytes = slurp(file);
  EXPECT_EQ(write(file, {"EB_FAULT=enospc@write:1"}).exit_code, 8);
  EXPECT_EQ(slurp(file), bytes);
  ASSERT_EQ(write(file).exit_code, 0);
  EXPECT_EQ(slurp(file), bytes) << "the same model gives the same file";
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(dir.path())) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"config.json", "folder", "net.onnx", "run"}));
}

TEST(Onnx, resnet50_in_two_seconds) {
  if (!tools::has_onnx()) GTEST_SKIP() << "built without ONNX";
  const TempDir dir;
  engine::Model model(resnet50(), engine::DType::f32);
  engine::initialize(model, {}, 1);
  const std::clock_t start = std::clock();  // of this process: the machine may be busy
  tools::export_onnx(model, {dir / "net.onnx", "resnet50", false});
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 2);
  EXPECT_GT(fs::file_size(dir / "net.onnx"), model.parameter_count() * sizeof(float));
}
