// Loaders of small image folders, and everything that they give.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/loader.h"
#include "support/data_sets.h"
#include "support/temp_dir.h"

namespace eb::test {

// Everything of an epoch in one comparable value.
struct Epoch {
  std::vector<int64_t> ids, sizes;
  std::vector<int32_t> labels;
  std::vector<uint8_t> pixels;
  bool operator==(const Epoch&) const = default;
};

inline Epoch read(data::Loader& loader, int64_t epoch, int64_t first = 0) {
  Epoch all;
  engine::Batch b;
  loader.start(epoch, first);
  while (loader.next(b)) {
    all.sizes.push_back(b.size());
    all.ids.insert(all.ids.end(), b.ids.begin(), b.ids.end());
    all.labels.insert(all.labels.end(), b.labels.data<int32_t>(), b.labels.data<int32_t>() + b.size());
    const auto* raw = static_cast<const uint8_t*>(b.images.raw());
    all.pixels.insert(all.pixels.end(), raw, raw + b.images.bytes());
  }
  EXPECT_FALSE(loader.next(b)) << "the end of an epoch is the end";
  return all;
}

inline data::DataConfig folder_config(const TempDir& dir) {
  data::DataConfig c;
  c.kind = data::DataConfig::Kind::image_folder;
  c.root = dir.path();
  c.augment = {data::Augment::pad4_crop32, data::Augment::hflip};
  c.seed = 5;
  c.workers = 0;
  return c;
}

inline data::Loaders open(const data::DataConfig& c, int64_t batch = 4, int64_t classes = 3,
                          int64_t size = 32, engine::DType dtype = engine::DType::f32) {
  return data::make_loaders(c, batch, 5, graph_of(classes, size, size), dtype);
}

inline void spoil(const TempDir& dir, const std::string& name) {
  write_bytes(dir / name, {0xff, 0xd8, 0xff, 0xe0, 0});
}

}  // namespace eb::test
