// Batches: the same for any number of workers and with or without the cache; resumable; clear about bad
// samples.
#include "data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "data/resize.h"
#include "kernels/dtype.h"
#include "support/error_code.h"
#include "support/loaders.h"
#include "support/temp_dir.h"

using namespace eb;
using namespace eb::test;
using data::Augment;
using data::DataConfig;
using data::Loaders;
using engine::Batch;
using engine::DType;

// 21 images in batches of 4: the last batch has one.
TEST(Loader, an_epoch_holds_every_sample_once) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  Loaders l = open(folder_config(dir));
  EXPECT_EQ(l.train->samples(), 21);
  EXPECT_EQ(l.train->batches_per_epoch(), 6);
  EXPECT_EQ(l.holdout, nullptr);
  Epoch e = read(*l.train, 0);
  EXPECT_EQ(e.sizes, (std::vector<int64_t>{4, 4, 4, 4, 4, 1}));
  for (size_t i = 0; i < e.ids.size(); ++i) EXPECT_EQ(e.labels[i], e.ids[i] / 7);
  EXPECT_NE(e.ids, read(*l.train, 1).ids);
  EXPECT_EQ(e, read(*l.train, 0)) << "epochs can be read again";
  std::sort(e.ids.begin(), e.ids.end());
  std::vector<int64_t> all(21);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(e.ids, all);
  EXPECT_EQ(read(*l.test, 3).ids, all) << "evaluation keeps the order of the files";
}

TEST(Loader, workers_and_cache_change_nothing) {
  TempDir dir;
  write_image_folder(dir.path(), 7, 60, 45);
  for (const auto& augment : {std::vector<Augment>{Augment::random_resized_crop, Augment::hflip}, {}}) {
    DataConfig c = folder_config(dir);
    c.augment = augment;
    c.image_size = 28;
    const int size = augment.empty() ? 45 : 28;
    std::vector<Epoch> train, test;
    for (const int workers : {0, 1, 4})
      for (const int64_t cache_mib : {0, 64}) {
        c.workers = workers;
        c.cache_mib = cache_mib;
        Loaders l = data::make_loaders(c, 4, 5, graph_of(3, size, augment.empty() ? 60 : size), DType::f32);
        train.push_back(read(*l.train, 2));
        test.push_back(read(*l.test, 2));
      }
    for (size_t i = 1; i < train.size(); ++i) {
      EXPECT_TRUE(train[i] == train[0]) << i;
      EXPECT_TRUE(test[i] == test[0]) << i;
    }
  }
}

TEST(Loader, starts_in_the_middle) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  DataConfig c = folder_config(dir);
  for (const int workers : {0, 3}) {
    c.workers = workers;
    c.cache_mib = 0;
    Loaders l = open(c);
    const Epoch whole = read(*l.train, 4);
    for (int64_t first = 0; first <= 6; ++first) {
      const Epoch rest = read(*l.train, 4, first);
      const auto skipped = std::min<int64_t>(21, 4 * first);
      EXPECT_EQ(rest.ids, std::vector<int64_t>(whole.ids.begin() + skipped, whole.ids.end()));
      EXPECT_TRUE(std::equal(rest.pixels.begin(), rest.pixels.end(),
                             whole.pixels.begin() + skipped * 32 * 32 * 3 * 4));
    }
  }
}

TEST(Loader, stops_cleanly_at_any_point) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  DataConfig c = folder_config(dir);
  c.workers = 4;
  c.cache_mib = 0;
  Loaders l = open(c, 1);
  Batch b;
  for (int taken = 0; taken < 10; ++taken) {
    l.train->start(taken, 0);
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(l.train->next(b));
  }
}

TEST(Loader, evaluation_is_normalised_and_not_augmented) {
  TempDir dir;
  write_image_folder(dir.path(), 3);
  DataConfig c = folder_config(dir);
  c.mean[0] = 0.5f;
  c.std[0] = 0.25f;
  c.std[2] = 2;
  Loaders l = open(c);
  Batch b;
  l.test->start(0, 0);
  ASSERT_TRUE(l.test->next(b));
  const data::Image want = gradient(32, 32, 2);  // a/102.png
  const float* y = b.images.data<float>() + 2 * 32 * 32 * 3;
  for (int i = 0; i < 32 * 32; ++i) {
    ASSERT_NEAR(y[3 * i], (want.rgb[3 * i] / 255.0 - 0.5) / 0.25, 1e-6);
    ASSERT_NEAR(y[3 * i + 1], want.rgb[3 * i + 1] / 255.0, 1e-6);
    ASSERT_NEAR(y[3 * i + 2], want.rgb[3 * i + 2] / 510.0, 1e-6);
  }
}

TEST(Loader, photographs_are_scaled_for_evaluation) {
  TempDir dir;
  write_image_folder(dir.path(), 3, 90, 61);
  DataConfig c = folder_config(dir);
  c.augment = {Augment::random_resized_crop};
  c.image_size = 28;
  Loaders l = open(c, 4, 3, 28);
  Batch b;
  l.test->start(0, 0);
  ASSERT_TRUE(l.test->next(b));
  const data::Image want = data::resize_and_center_crop(gradient(90, 61, 2), 32, 28);
  const float* y = b.images.data<float>() + 2 * 28 * 28 * 3;
  for (size_t i = 0; i < want.rgb.size(); ++i) ASSERT_NEAR(y[i], want.rgb[i] / 255.0, 1e-6);
}

TEST(Loader, bf16_is_the_rounded_f32) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  const DataConfig c = folder_config(dir);
  Loaders a = open(c), b = open(c, 4, 3, 32, DType::bf16);
  Batch x, y;
  a.train->start(1, 0);
  b.train->start(1, 0);
  while (a.train->next(x) && b.train->next(y))
    for (int64_t i = 0; i < x.images.size(); ++i)
      ASSERT_EQ(static_cast<float>(y.images.data<kernels::bf16>()[i]),
                static_cast<float>(kernels::bf16(x.images.data<float>()[i])));
}

TEST(Loader, holdout_is_evaluated_without_augmentation) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  DataConfig c = folder_config(dir);
  c.holdout = 6;
  Loaders l = open(c);
  ASSERT_NE(l.holdout, nullptr);
  EXPECT_EQ(l.train->samples(), 15);
  EXPECT_EQ(l.holdout->samples(), 6);
  Epoch e = read(*l.holdout, 0);
  EXPECT_EQ(e, read(*l.holdout, 1));
  EXPECT_TRUE(std::is_sorted(e.ids.begin(), e.ids.end()));
  for (const int64_t id : read(*l.train, 0).ids) EXPECT_EQ(std::count(e.ids.begin(), e.ids.end(), id), 0);
  c.holdout = 21;
  EXPECT_EQ(code_of([&] { open(c); }), 3031);
}

TEST(Loader, bad_sample_is_an_error_wherever_it_is_read) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  spoil(dir, "train/b/104.jpg");
  DataConfig c = folder_config(dir);
  EXPECT_EQ(code_of([&] { open(c); }), 3012) << "while filling the cache";
  c.cache_mib = 0;
  for (const int workers : {0, 1, 4}) {
    c.workers = workers;
    Loaders l = open(c);
    const Error e = error_of([&] { read(*l.train, 0); });
    EXPECT_EQ(e.code(), 3012);
    EXPECT_NE(e.message().find("b/104.jpg"), std::string::npos) << e.message();
  }
}

TEST(Loader, skipped_samples_are_replaced_alike_for_any_workers) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  spoil(dir, "train/a/100.jpg");  // the first sample, which tells the size of the others
  spoil(dir, "train/b/104.jpg");
  DataConfig c = folder_config(dir);
  c.skip_bad_samples = true;
  c.max_bad = 2;
  std::vector<Epoch> all;
  for (const int workers : {0, 1, 4})
    for (const int64_t cache_mib : {0, 64}) {
      c.workers = workers;
      c.cache_mib = cache_mib;
      Loaders l = open(c);
      all.push_back(read(*l.train, 0));
      EXPECT_EQ(all.back().ids.size(), 21u) << "the number of samples stays";
      EXPECT_EQ(std::count(all.back().ids.begin(), all.back().ids.end(), 0), 0);
      EXPECT_EQ(l.train->bad_samples(), (std::vector<std::string>{(dir / "train/a/100.jpg").string(),
                                                                  (dir / "train/b/104.jpg").string()}));
      EXPECT_TRUE(all.back() == all.front());
    }
  c.max_bad = 1;
  Loaders l = open(c);
  EXPECT_EQ(code_of([&] { read(*l.train, 0); }), 3032);
}

TEST(Loader, nothing_but_bad_samples) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  for (const char* name : {"train/a/100.jpg", "train/b/100.jpg", "train/c/100.jpg"}) spoil(dir, name);
  DataConfig c = folder_config(dir);
  c.skip_bad_samples = true;
  EXPECT_EQ(code_of([&] { open(c); }), 3012);
}

TEST(Loader, images_of_different_sizes_need_a_crop) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  write_bytes(dir / "train/b/200.png", to_png(picture(31, 32)));
  Loaders l = open(folder_config(dir));
  const Error e = error_of([&] { read(*l.train, 0); });
  EXPECT_EQ(e.code(), 3030);
  EXPECT_NE(e.message().find("b/200.png: 31 x 32"), std::string::npos) << e.message();
  EXPECT_NE(e.hint().find("random_resized_crop"), std::string::npos);
}

TEST(Loader, data_must_fit_the_model) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  const DataConfig c = folder_config(dir);
  const Error classes = error_of([&] { open(c, 4, 10); });
  EXPECT_EQ(classes.code(), 3003);
  EXPECT_NE(classes.hint().find("model.num_classes to 3"), std::string::npos);
  const Error size = error_of([&] { open(c, 4, 3, 64); });
  EXPECT_EQ(size.code(), 3003);
  EXPECT_NE(size.message().find("32 x 32 x 3"), std::string::npos);
  EXPECT_EQ(code_of([&] { data::make_test_loader(c, 4, graph_of(10), DType::f32); }), 3003);
}

TEST(Loader, fingerprint_follows_the_data) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  const DataConfig c = folder_config(dir);
  const std::string before = open(c).fingerprint;
  EXPECT_EQ(before.size(), 32u);
  EXPECT_EQ(before, open(c).fingerprint);
  std::filesystem::rename(dir / "test/a/100.jpg", dir / "test/a/1000.jpg");
  EXPECT_NE(before, open(c).fingerprint);
}

TEST(Loader, cifar_and_synthetic) {
  TempDir dir;
  write_cifar10(dir.path());
  DataConfig c;
  c.kind = DataConfig::Kind::cifar10_bin;
  c.root = dir.path();
  Loaders l = open(c, 4, 10);
  const Epoch e = read(*l.train, 0);
  ASSERT_EQ(e.ids.size(), 10u);
  float pixel[3];
  std::memcpy(pixel, e.pixels.data(), sizeof pixel);
  for (int channel = 0; channel < 3; ++channel)
    EXPECT_FLOAT_EQ(pixel[channel], (e.ids[0] + 50 * channel) / 255.f);
  c.kind = DataConfig::Kind::synthetic;
  c.synthetic = {.train = 20, .test = 10, .size = 32, .classes = 10, .noise = 0.1};
  EXPECT_EQ(read(*open(c, 4, 10).test, 0).labels, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

// A batch norm at the end, where the picture is 1x1: it learns nothing from one image.
static engine::Graph graph_with_late_batch_norm() {
  engine::Graph g = graph_of(3);
  g.nodes[1].op = engine::Op::bn;
  g.nodes[1].id = "late";
  g.nodes[1].h = g.nodes[1].w = 1;
  return g;
}

TEST(Loader, leaves_out_a_last_batch_of_one_image_where_a_batch_norm_needs_more) {
  TempDir dir;
  write_image_folder(dir.path(), 3);  // 9 images
  std::string said;
  const auto message = [&](const std::string& text) { said += text; };
  const auto make = [&](int64_t batch, const engine::Graph& graph) {
    said.clear();
    return data::make_loaders(folder_config(dir), batch, 5, graph, DType::f32, message);
  };
  Loaders l = make(4, graph_with_late_batch_norm());
  EXPECT_EQ(l.train->batches_per_epoch(), 2);
  const Epoch first = read(*l.train, 0);
  EXPECT_EQ(first.sizes, (std::vector<int64_t>{4, 4}));
  EXPECT_NE(first.ids, read(*l.train, 1).ids);
  EXPECT_EQ(read(*l.test, 0).ids.size(), 9u) << "evaluation uses what was learned";
  EXPECT_NE(said.find("\"late\""), std::string::npos) << said;
  EXPECT_NE(said.find("8 of 9 images"), std::string::npos) << said;
  EXPECT_EQ(read(*make(5, graph_with_late_batch_norm()).train, 0).sizes, (std::vector<int64_t>{5, 4}));
  EXPECT_EQ(said, "");
  EXPECT_EQ(read(*make(4, graph_of(3)).train, 0).sizes, (std::vector<int64_t>{4, 4, 1}));
  EXPECT_EQ(said, "");
  DataConfig one = folder_config(dir);
  one.holdout = 8;
  EXPECT_EQ(code_of([&] { data::make_loaders(one, 4, 5, graph_with_late_batch_norm(), DType::f32); }), 3003);
}
