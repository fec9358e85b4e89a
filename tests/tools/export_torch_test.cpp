// `export`, `import` and `--init-from` as far as no Python is needed: the text of model.py, names, error
// codes. tests/python/export_torch_test.py runs what is written here in PyTorch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/graph/arch/arch.h"
#include "support/run_engine.h"
#include "tools/export/torch_source.h"
#include "tools/import/import_weights.h"

using namespace eb;
using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

engine::Graph network(const std::string& arch, int depth, double width = 1) {
  engine::ArchOptions options;
  options.depth = depth;
  options.width = width;
  return engine::build_arch(arch, options);
}

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++n;
  return n;
}

// input -> nodes, the last of which is the output.
std::string source_of(const std::string& nodes) {
  const json list = json::parse(nodes);
  const json graph = {
      {"input", {{"id", "x"}, {"shape", {3, 8, 8}}}}, {"output", list.back()["id"]}, {"nodes", list}};
  return tools::torch_source(engine::graph_from_json(graph), "test");
}

int source_error(const std::string& nodes) {
  try {
    source_of(nodes);
  } catch (const Error& e) {
    return e.code();
  }
  return 0;
}

#define EXPECT_HAS(text, what) EXPECT_NE((text).find(what), std::string::npos) << (text)

engine::Model initial(engine::Graph graph) {
  engine::Model model(std::move(graph), engine::DType::f32);
  engine::initialize(model, {}, 1);
  return model;
}

// Of importing `tensors` into the model; 0 if it is taken.
int import_error(const engine::Model& model, std::map<std::string, engine::Tensor> tensors,
                 std::string* text = nullptr, tools::ImportOptions options = {}) {
  try {
    tools::import_weights(model, std::move(tensors), options);
  } catch (const Error& e) {
    if (text) *text = e.message();
    return e.code();
  }
  return 0;
}

std::string short_run(const TempDir& dir) {
  const std::string run = dir / "run";
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", run, "-q", "--max-steps", "3"});
  EXPECT_EQ(o.exit_code, 75) << o.err;
  return run;
}

void expect_refused(const std::vector<std::string>& args, int exit_code, const std::string& what) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, exit_code) << o.err;
  EXPECT_HAS(o.err, what);
}

}  // namespace

TEST(TorchSource, vgg_is_one_sequence_with_the_widths_written_out) {
  const std::string text = tools::torch_source(network("vgg", 16, 0.25), "vgg");
  EXPECT_HAS(text,
             "self.feature = nn.Sequential(\n            nn.Conv2d(3, 16, 3, padding=1, bias=False),\n");
  EXPECT_HAS(text, "nn.Conv2d(64, 128, 3, padding=1, bias=False)");
  EXPECT_HAS(text, "self.classifier = nn.Linear(128, 10)");
  EXPECT_EQ(count(text, "nn.Conv2d("), 13);
  EXPECT_EQ(count(text, "nn.ReLU()"), 13);
  EXPECT_EQ(count(text, "nn.MaxPool2d(2)"), 4);
  EXPECT_EQ(count(text, "class "), 1);
}

TEST(TorchSource, residual_blocks_share_classes) {
  const std::string text = tools::torch_source(network("resnet", 50), "resnet");
  EXPECT_EQ(count(text, "class "), 3) << "with and without a projection, and the model\n" << text;
  EXPECT_HAS(text, "self.layer1 = nn.Sequential(\n");
  EXPECT_HAS(text, "self.downsample = nn.Sequential(\n");
  EXPECT_HAS(text, "return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))");
  EXPECT_HAS(text, "stride=2)");
  EXPECT_EQ(text.find('\x01'), std::string::npos);
}

TEST(TorchSource, selects_are_modules_with_their_two_widths) {
  engine::Graph g = network("preresnet", 20);
  engine::Node& select = g.nodes[g.find("layer1.1.select")];
  select.select_all = false;
  select.select = {0, 2, 5};
  g.infer_shapes();
  const std::string text = tools::torch_source(g, "preresnet");
  EXPECT_HAS(text, "class ChannelSelect(nn.Module)");
  EXPECT_EQ(count(text, "indexes"), 3);
  EXPECT_HAS(text, "64, 3");
}

TEST(TorchSource, any_graph) {
  const char* conv = R"({"op": "conv", "out_channels": 4, "kernel": 3, "pad": 1, )";
  // A prefix that is entered twice is no module of its own; odd names are reached by getattr and in
  // ModuleDicts.
  const std::string text = source_of(std::string("[") + conv + R"("id": "a.3x3", "in": ["x"]},)" + conv +
                                     R"("id": "b-1", "in": ["a.3x3"]},)" + conv +
                                     R"("id": "a.class", "in": ["b-1"]},
    {"id": "s", "op": "add", "in": ["a.class", "a.3x3"]},
    {"id": "p", "op": "global_avg_pool", "in": ["s"]}, {"id": "fc", "op": "linear", "out_channels": 2, "in": ["p"]}])");
  EXPECT_HAS(text, "nn.ModuleDict({");
  EXPECT_HAS(text, "\"3x3\": nn.Conv2d(3, 4, 3, padding=1, bias=False)");
  EXPECT_HAS(text, "self.a[\"class\"](");
  EXPECT_HAS(text, "getattr(self, \"b-1\")");
  EXPECT_HAS(text, "self.add_module(\"b-1\", ");
}

TEST(TorchSource, names_that_pytorch_cannot_have) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"([{"id": ")" + first +
           R"(", "op": "conv", "out_channels": 4, "kernel": 8, "in": ["x"]}, {"id": ")" + second +
           R"(", "op": "linear", "out_channels": 2, "in": [")" + first + R"("]}])";
  };
  EXPECT_EQ(source_error(two("a", "b")), 0);
  for (const char* name : {"train", "a.type", "a..b", "a.", "_modules", "forward"})
    EXPECT_EQ(source_error(two(name, "fc")), 2076) << name;
  EXPECT_EQ(source_error(two("a", "a.b")), 2076) << "a layer inside a layer";
  EXPECT_EQ(source_error(R"([{"id": "p", "op": "max_pool", "kernel": 4, "pad": 3, "in": ["x"]},
                             {"id": "fc", "op": "linear", "out_channels": 2, "in": ["p"]}])"),
            2076);
}

TEST(Export, writes_a_directory_and_says_so) {
  const TempDir dir;
  const std::string run = short_run(dir), out = dir / "out";
  const Outcome o = run_engine({"export", run, "--to", "torch", "-o", out, "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(json::parse(o.out)["out"], out);
  const auto weights = engine::read_safetensors(out + "/model.safetensors");
  EXPECT_EQ(weights.tensors.size(), engine::load_checkpoint(run + "/ckpt/step-00000003").model.size());
  EXPECT_EQ(weights.metadata.at("format"), "pt");
  EXPECT_HAS(slurp(out + "/model.py"), "nn.Conv2d(3, 4, 3, padding=1, bias=False)");
  EXPECT_EQ(run_engine({"export", run, "--to", "torch", "-o", out}).exit_code, 0)
      << "again into the same place";
}

TEST(Export, faults) {
  const TempDir dir;
  const std::string run = short_run(dir), out = dir / "out", checkpoint = run + "/ckpt/step-00000003";
  expect_refused({"export", run, "--to", "torch", "-o", out, "--fold-bn"}, 2, "EB2075");
  expect_refused({"export", run, "--to", "caffe", "-o", out}, 2, "caffe");
  expect_refused({"export", dir / "nowhere", "--to", "torch", "-o", out}, 4, "nowhere");
  expect_refused({"export", run, "--to", "torch", "-o", checkpoint}, 2, "EB2077");
  expect_refused({"export", run, "--to", "torch", "-o", dir / "a/b/c"}, 8, "EB8001");
  RunOptions full;
  full.env = {"EB_FAULT=enospc@write:2"};
  EXPECT_EQ(run_engine({"export", run, "--to", "torch", "-o", out}, full).exit_code, 8);
  EXPECT_FALSE(fs::exists(out)) << "a part of an export is left";
  EXPECT_NO_THROW(engine::verify_checkpoint(checkpoint));
}

TEST(Import, everything_that_is_wrong_is_named) {
  const engine::Model model = initial(network("vgg", 11, 0.0625));
  const auto good = engine::state_dict(model);
  EXPECT_EQ(import_error(model, good), 0);
  std::string text;
  auto bad = good;
  for (int i : {0, 4, 8}) bad.erase("feature." + std::to_string(i) + ".weight");
  for (int i = 0; i < 20; ++i) bad["other." + std::to_string(i)] = engine::Tensor::zeros({1});
  bad["feature.1.weight"] = engine::Tensor::zeros({5});
  EXPECT_EQ(import_error(model, bad, &text), 4060);
  for (const char* name : {"feature.0.weight", "feature.4.weight", "feature.8.weight", "other.0", "other.19",
                           "feature.1.weight is (5), want (4)"})
    EXPECT_HAS(text, name);
  bad = good;
  bad["feature.1.num_batches_tracked"] = engine::Tensor::zeros({}, engine::DType::i64);
  EXPECT_EQ(import_error(model, bad), 0);
  bad["feature.77.num_batches_tracked"] = engine::Tensor::zeros({}, engine::DType::i64);
  EXPECT_EQ(import_error(model, bad), 4061);
  EXPECT_EQ(import_error(model, {}), 4060);
}

TEST(Import, files_of_pytorch_are_named_and_never_read) {
  const TempDir dir;
  const std::string config = tiny_config(dir), pth = dir / "weights.pth";
  spit(pth, std::string("PK\3\4\0\0\10\10", 8) + std::string(100, 'x'));
  expect_refused({"import", pth, "--model", config, "-o", dir / "start"}, 4, "EB4013");
  expect_refused({"import", pth, "--model", config, "-o", dir / "start"}, 4, "docs/pytorch.md");
  spit(dir / "w.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));  // no graph
  expect_refused({"train", config, "--init-from", dir / "w.safetensors"}, 4, "eb_engine import");
}

TEST(Import, never_writes_over_what_is_there) {
  const TempDir dir;
  const std::string run = short_run(dir);
  fs::create_directory(dir / "start");
  const std::string weights = run + "/ckpt/step-00000003/model.safetensors";
  expect_refused({"import", weights, "--model", run + "/config.resolved.json", "-o", dir / "start"}, 2,
                 "EB2026");
  EXPECT_TRUE(fs::is_empty(dir / "start"));
}

TEST(Import, only_what_changes_nothing_is_adapted) {
  const engine::Model model = initial(network("vgg", 11, 0.0625));
  const auto good = engine::state_dict(model);
  std::map<std::string, engine::Tensor> file;
  for (const auto& [name, t] : good)
    file["module." + (name.starts_with("feature.") ? "features." + name.substr(8) : name)] = t;
  engine::Tensor bias = engine::Tensor::zeros({4});
  bias.data<float>()[2] = 0.5f;
  file["module.features.0.bias"] = bias;
  const auto imported = tools::import_weights(model, file, {});
  EXPECT_EQ(imported.tensors.size(), good.size());
  EXPECT_EQ(imported.tensors.at("feature.1.running_mean").data<float>()[2], -0.5f);
  EXPECT_EQ(imported.notes.size(), 3u);
  file["module.features.0.bias"] = engine::Tensor::zeros({5});
  EXPECT_EQ(import_error(model, file), 4061) << "a bias that does not fit stays unexpected";
}

TEST(Import, what_stands_before_all_names_is_dropped) {
  for (const char* arch : {"vgg", "preresnet"}) {
    const engine::Model model = initial(network(arch, arch == std::string("vgg") ? 11 : 20, 0.0625));
    const auto good = engine::state_dict(model);
    for (const std::string prefix : {"_orig_mod.", "module.", "backbone.", "model.", "module._orig_mod.",
                                     "model.backbone.module.", "net_1."}) {
      std::map<std::string, engine::Tensor> file;
      for (const auto& [name, t] : good) file[prefix + name] = t;
      const auto imported = tools::import_weights(model, file, {});
      EXPECT_EQ(imported.tensors.size(), good.size()) << prefix;
      ASSERT_EQ(imported.notes.size(), 1u) << prefix;
      EXPECT_NE(imported.notes[0].find('"' + prefix + '"'), std::string::npos) << imported.notes[0];
      file["head.weight"] = engine::Tensor::zeros({1});
      EXPECT_EQ(import_error(model, file), 4060) << "not before all: " << prefix;
    }
    EXPECT_TRUE(tools::import_weights(model, good, {}).notes.empty());
  }
}

TEST(Import, another_classifier_only_on_request) {
  const engine::Model model = initial(network("vgg", 11, 0.0625));
  auto file = engine::state_dict(model);
  file["classifier.weight"] = engine::Tensor::zeros({1000, 32});
  file["classifier.bias"] = engine::Tensor::zeros({1000});
  EXPECT_EQ(import_error(model, file), 4064);
  const auto imported = tools::import_weights(model, file, {.replace_classifier = true});
  EXPECT_EQ(imported.tensors.at("classifier.weight").shape(), (engine::Shape{10, 32}));
  EXPECT_NE(imported.tensors.at("classifier.weight").data<float>()[0], 0);
  file.erase("feature.0.weight");
  EXPECT_EQ(import_error(model, file, nullptr, {.replace_classifier = true}), 4060);
}

TEST(InitFrom, a_run_starts_from_the_weights_of_another) {
  const TempDir dir;
  const std::string first = short_run(dir), second = dir / "second", config = tiny_config(dir);
  ASSERT_EQ(run_engine({"train", config, "--init-from", first, "--out", second, "-q", "--max-steps", "0"})
                .exit_code,
            75);
  const auto a = engine::load_checkpoint(first + "/ckpt/step-00000003"),
             b = engine::load_checkpoint(second + "/ckpt/step-00000000");
  for (const auto& [name, t] : a.model)
    EXPECT_EQ(std::memcmp(t.raw(), b.model.at(name).raw(), t.bytes()), 0) << name;
  EXPECT_EQ(json::parse(b.metadata.at("config"))["model"]["init"]["from"], first);
  // It goes on without the checkpoint it came from, by the same command only.
  fs::remove_all(first);
  const std::vector<std::string> again = {"train", config, "--init-from", first, "--out",
                                          second,  "-q",   "--max-steps", "1"};
  EXPECT_EQ(run_engine(again).exit_code, 75);
  expect_refused({"train", config, "--out", second, "-q"}, 4, "model.init.from");
  expect_refused({"train", config, "--init-from", first, "--out", dir / "third", "-q"}, 4, "EB4024");
}

TEST(InitFrom, a_network_of_other_classes_is_refused) {
  const TempDir dir;
  const std::string first = short_run(dir);
  const std::string more =
      tiny_config(dir, R"({"model": {"num_classes": 5}, "data": {"synthetic": {"classes": 5}}})");
  expect_refused({"train", more, "--init-from", first, "--out", dir / "more", "-q"}, 4, "EB4065");
  EXPECT_FALSE(fs::exists(dir / "more/ckpt"));
}

TEST(InitFrom, rewind_goes_back_to_these_weights) {
  const TempDir dir;
  const std::string first = short_run(dir), second = dir / "second";
  const std::string config =
      tiny_config(dir, R"({"early_bird": {"after": {"weights": "rewind"}, "deadline": "1ep"}})");
  const Outcome o = run_engine(
      {"train", config, "--init-from", first, "--out", second, "-q", "--until", "compact", "--threads", "1"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const auto given = engine::load_checkpoint(first + "/ckpt/step-00000003").model.at("feature.0.weight"),
             left = engine::load_checkpoint(engine::resolve_checkpoint(second)).model.at("feature.0.weight");
  ASSERT_LT(left.size(), given.size());
  const float *begin = given.data<float>(), *end = begin + given.size();
  for (int64_t i = 0; i < left.size(); ++i) EXPECT_NE(std::find(begin, end, left.data<float>()[i]), end) << i;
}
