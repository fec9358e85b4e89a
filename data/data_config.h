// The data section of a resolved config (data/fields.cpp) as plain members.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "engine/base/enum_names.h"

namespace eb::engine {
class Config;
}

namespace eb::data {

enum class Augment : uint8_t { pad4_crop32, hflip, random_resized_crop };
constexpr auto enum_names(Augment) {
  return engine::names("pad4_crop32", "hflip", "random_resized_crop");
}

struct DataConfig {
  enum class Kind : uint8_t { cifar10_bin, cifar100_bin, image_folder, synthetic };
  enum class OnBadSample : uint8_t { error, skip };
  Kind kind = Kind::synthetic;
  std::filesystem::path root;
  bool allow_empty_classes = false;  // of an image folder
  int64_t holdout = 0;               // training images set aside
  std::vector<Augment> augment;
  float mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};  // of pixels in 0..1, R G B
  bool skip_bad_samples = false;
  int64_t max_bad = 10;
  std::optional<int> workers;  // decoding threads; none = one less than the cores
  int image_size = 224;        // made by random_resized_crop
  int64_t cache_mib = 4096;
  struct Synthetic {
    int64_t train = 10000, test = 2000;
    int size = 32, classes = 10;
    double noise = 0.1;
  } synthetic;
  uint64_t seed = 0;  // of sample order, augmentation and hold-out

  bool augments(Augment how) const;
};
constexpr auto enum_names(DataConfig::Kind) {
  return engine::names("cifar10_bin", "cifar100_bin", "image_folder", "synthetic");
}
constexpr auto enum_names(DataConfig::OnBadSample) {
  return engine::names("error", "skip");
}

// Reads data.* and, where the table has it, seed. A single mean or std stands for all three channels.
DataConfig data_config(const engine::Config& config);

}  // namespace eb::data
