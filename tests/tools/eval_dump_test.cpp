// `eb_engine eval --dump`: what the network was given and what it said, for comparison with other programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "data/loader.h"
#include "engine/checkpoint/safetensors.h"
#include "support/image_files.h"
#include "support/run_engine.h"
#include "tools/experiment/experiment.h"

using namespace eb;
using namespace eb::test;
using engine::DType;
using engine::SafetensorsFile;
using engine::Shape;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// 64 test images of 3 x 32 x 32 in 10 classes; evaluated by 24, so that no limit below but one falls on a
// batch's end. After three steps this network, unlike the tiny one, says different things of different
// images.
std::string short_run(const TempDir& dir) {
  const std::string config =
      tiny_config(dir, R"({"model": {"arch": "preresnet", "width": 0.25}, "train": {"eval_batch_size": 24,
                           "optimizer": {"lr": 0.1}}, "early_bird": {"enabled": false}})");
  const Outcome o =
      run_engine({"train", config, "--out", dir / "run", "-q", "--threads", "1", "--max-steps", "3"});
  EXPECT_EQ(o.exit_code, 75) << o.err;
  return dir / "run";
}

json evaluate(const std::string& checkpoint, const std::string& dump, std::vector<std::string> more = {}) {
  std::vector<std::string> args = {"eval", checkpoint, "--dump", dump, "--json", "--threads", "1"};
  args.insert(args.end(), more.begin(), more.end());
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return o.exit_code == 0 ? json::parse(o.out) : json();
}

std::vector<std::string> names(const SafetensorsFile& file) {
  std::vector<std::string> all;
  for (const auto& [name, tensor] : file.tensors) all.push_back(name);
  return all;
}

std::vector<int64_t> predictions(const SafetensorsFile& dump) {
  const engine::Tensor& logits = dump.tensors.at("logits");
  const int64_t classes = logits.dim(1);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    const float* row = logits.data<float>() + i * classes;
    all.push_back(std::max_element(row, row + classes) - row);
  }
  return all;
}

int64_t correct(const SafetensorsFile& dump) {
  const std::vector<int64_t> predicted = predictions(dump);
  const int32_t* labels = dump.tensors.at("labels").data<int32_t>();
  int64_t n = 0;
  for (size_t i = 0; i < predicted.size(); ++i) n += predicted[i] == labels[i];
  return n;
}

// What the test loader of the checkpoint gives, image by image as (C, H, W), with labels.
struct Loaded {
  std::vector<float> images;
  std::vector<int32_t> labels;
};

void append(const engine::Batch& batch, Loaded& all) {
  const engine::Tensor& x = batch.images;
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (int64_t c = 0; c < x.dim(3); ++c)
      for (int64_t i = 0; i < x.dim(1) * x.dim(2); ++i)
        all.images.push_back(x.data<float>()[(n * x.dim(1) * x.dim(2) + i) * x.dim(3) + c]);
  all.labels.insert(all.labels.end(), batch.labels.data<int32_t>(),
                    batch.labels.data<int32_t>() + batch.size());
}

Loaded test_set_of(const std::string& run) {
  const tools::LoadedModel loaded = tools::load_model(run);
  const auto loader =
      data::make_test_loader(data::data_config(loaded.config), 64, loaded.model.graph(), DType::f32);
  Loaded all;
  engine::Batch batch;
  loader->start(0, 0);
  while (loader->next(batch)) append(batch, all);
  return all;
}

template <class T>
std::vector<T> values(const SafetensorsFile& file, const std::string& name) {
  const engine::Tensor& t = file.tensors.at(name);
  return {t.data<T>(), t.data<T>() + t.size()};
}

}  // namespace

// `n` images, of every class its share, rounded down or up, each class's first, in data-set order.
static Loaded stratified(const Loaded& all, int64_t n) {
  const auto total = static_cast<int64_t>(all.labels.size());
  std::map<int32_t, int64_t> of_class, take;
  for (const int32_t label : all.labels) ++of_class[label];
  std::multimap<int64_t, int32_t> by_rest;  // largest last, of two alike the later class
  int64_t left = n;
  for (const auto& [label, count] : of_class) left -= take[label] = count * n / total;
  for (auto it = of_class.rbegin(); it != of_class.rend(); ++it)
    by_rest.emplace(it->second * n % total, it->first);
  for (auto it = by_rest.rbegin(); left > 0; ++it, --left) ++take[it->second];
  Loaded sample;
  for (size_t i = 0; i < all.labels.size(); ++i) {
    if (take[all.labels[i]]-- <= 0) continue;
    sample.labels.push_back(all.labels[i]);
    const auto first = all.images.begin() + static_cast<std::ptrdiff_t>(i) * 3 * 32 * 32;
    sample.images.insert(sample.images.end(), first, first + 3 * 32 * 32);
  }
  return sample;
}

TEST(EvalDump, holds_images_labels_and_logits_that_give_the_same_accuracy) {
  const TempDir dir;
  const std::string run = short_run(dir);
  const Loaded wanted = test_set_of(run);
  ASSERT_EQ(wanted.labels.size(), 64u);
  for (const int64_t limit : {0, 1, 24, 50, 1000}) {
    const std::string file = dir / ("limit" + std::to_string(limit) + ".safetensors");
    std::vector<std::string> flags = {"--logits", dir / "logits.safetensors"};
    if (limit) flags.insert(flags.end(), {"--limit", std::to_string(limit)});
    const json result = evaluate(run, file, flags);
    const int64_t n = limit == 0 ? 64 : std::min<int64_t>(limit, 64);
    const SafetensorsFile dump = engine::read_safetensors(file);
    ASSERT_EQ(names(dump), (std::vector<std::string>{"images", "labels", "logits"}));
    EXPECT_EQ(dump.tensors.at("images").shape(), (Shape{n, 3, 32, 32}));
    EXPECT_EQ(dump.tensors.at("labels").shape(), (Shape{n}));
    EXPECT_EQ(dump.tensors.at("logits").shape(), (Shape{n, 10}));
    EXPECT_EQ(result["total"], n);
    const std::vector<int64_t> predicted = predictions(dump);
    EXPECT_EQ(std::set(predicted.begin(), predicted.end()).size() > 1, n > 1) << "the same for all images";
    EXPECT_EQ(result["correct"], correct(dump)) << "limit " << limit;
    EXPECT_DOUBLE_EQ(result["top1"], static_cast<double>(correct(dump)) / static_cast<double>(n));
    const Loaded sample = stratified(wanted, n);
    EXPECT_EQ(values<int32_t>(dump, "labels"), sample.labels);
    EXPECT_EQ(values<float>(dump, "images"), sample.images);
    EXPECT_EQ(values<float>(engine::read_safetensors(dir / "logits.safetensors"), "logits"),
              values<float>(dump, "logits"));
  }
}

namespace {

uint8_t pixel(int64_t record, int64_t channel, int64_t y, int64_t x) {
  return static_cast<uint8_t>(41 * record + 97 * channel + 5 * y + 3 * x);
}

// Records of CIFAR-10's binary test file.
void write_cifar_test(const std::string& root, const std::vector<int32_t>& labels) {
  std::vector<uint8_t> bytes;
  for (size_t r = 0; r < labels.size(); ++r) {
    bytes.push_back(static_cast<uint8_t>(labels[r]));
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) bytes.push_back(pixel(static_cast<int64_t>(r), c, y, x));
  }
  write_bytes(fs::path(root) / "test_batch.bin", bytes);
}

// Calls at(index into images, value of the pixel in 0..1, channel).
template <class F>
void for_each_pixel(int64_t records, F at) {
  for (int64_t r = 0, i = 0; r < records; ++r)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < 32; ++y)
        for (int64_t x = 0; x < 32; ++x) at(i++, pixel(r, c, y, x) / 255.0, c);
}

}  // namespace

TEST(EvalDump, images_are_those_of_the_file_normalised) {
  const TempDir dir;
  const std::string run = short_run(dir);
  const std::vector<int32_t> labels = {9, 0, 3, 3, 7};
  write_cifar_test(dir / "cifar", labels);
  const std::vector<std::string> flags = {"--data-kind", "cifar10_bin", "--data-root",
                                          dir / "cifar", "--batch",     "3"};
  evaluate(run, dir / "f32.safetensors", flags);
  const SafetensorsFile dump = engine::read_safetensors(dir / "f32.safetensors");
  EXPECT_EQ(values<int32_t>(dump, "labels"), labels);
  ASSERT_EQ(dump.tensors.at("images").shape(), (Shape{5, 3, 32, 32}));
  const float* images = dump.tensors.at("images").data<float>();
  const double mean[] = {0.4914, 0.4822, 0.4465}, std[] = {0.2023, 0.1994, 0.2010};  // the config's defaults
  for_each_pixel(5, [&](int64_t i, double value, int64_t c) {
    ASSERT_NEAR(images[i], (value - mean[c]) / std[c], 1e-5) << i;
  });

  auto narrow_flags = flags;
  narrow_flags.insert(narrow_flags.end(), {"--dtype", "bf16"});
  evaluate(run, dir / "bf16.safetensors", narrow_flags);
  const SafetensorsFile narrow = engine::read_safetensors(dir / "bf16.safetensors");
  ASSERT_EQ(narrow.tensors.at("images").dtype(), DType::f32) << "what bf16 holds, in f32";
  const float* rounded = narrow.tensors.at("images").data<float>();
  for_each_pixel(5, [&](int64_t i, double, int64_t) {
    ASSERT_EQ(rounded[i], static_cast<float>(kernels::bf16(images[i]))) << i;
  });
}

TEST(EvalDump, a_file_that_cannot_be_written_is_an_output_error) {
  const TempDir dir;
  const std::string run = short_run(dir);
  fs::create_directory(dir.path() / "taken");
  const std::string absent = dir / "absent/d.safetensors", below_a_file = dir / "config.json/d.safetensors",
                    directory = dir / "taken";
  for (const std::string& path : {absent, below_a_file, directory}) {
    const Outcome o = run_engine({"eval", run, "--dump", path, "--json", "--threads", "1"});
    EXPECT_EQ(o.exit_code, 8) << path << "\n" << o.err;
    EXPECT_NE(o.err.find("EB8001"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find(fs::path(path).filename()), std::string::npos) << "names the file: " << o.err;
    EXPECT_EQ(o.out, "") << "no result that a script could take for a whole one";
  }
  for (const auto& entry : fs::directory_iterator(dir.path()))
    EXPECT_NE(entry.path().filename().string().substr(0, 5), ".tmp-") << "left behind";
  const Outcome zero = run_engine({"eval", run, "--dump", dir / "d", "--limit", "0"});
  EXPECT_EQ(zero.exit_code, 2) << zero.err;
}
