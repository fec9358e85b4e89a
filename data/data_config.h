// The data section of a resolved config (data/fields.cpp) as plain members.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace eb::engine {
class Config;
}

namespace eb::data {

struct DataConfig {
  std::string kind = "synthetic";  // cifar10_bin, cifar100_bin, image_folder, synthetic
  std::filesystem::path root;
  int64_t holdout = 0;  // training images set aside
  std::vector<std::string> augment;
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

  bool augments(const std::string& name) const;
};

// Reads data.* and, where the table has it, seed. A single mean or std stands for all three channels.
DataConfig data_config(const engine::Config& config);

}  // namespace eb::data
