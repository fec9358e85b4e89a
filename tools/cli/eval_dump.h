// What `eval` saw and said, for comparison with other programs.
#pragma once
#include <filesystem>
#include <functional>
#include <vector>

#include "engine/train/batch.h"

namespace eb::tools {

// Keeps results in memory, in data-set order.
class EvalDump {
 public:
  EvalDump(bool logits, bool images) : keep_logits_(logits), keep_images_(images) {}
  // For engine::evaluate; empty if there is nothing to keep.
  std::function<void(const engine::Tensor& logits, const engine::Batch&)> keeper();
  void write_logits(const std::filesystem::path& path) const;  // "logits" (N, classes) f32
  void write(const std::filesystem::path& path) const;  // and "images" (N, C, H, W) f32, "labels" (N) i32

 private:
  void keep(const engine::Tensor& logits, const engine::Batch& batch);
  void keep_images(const engine::Tensor& nhwc);
  bool keep_logits_, keep_images_;
  std::vector<float> logits_, images_;
  std::vector<int32_t> labels_;
  int64_t classes_ = 0, channels_ = 0, height_ = 0, width_ = 0;
};

}  // namespace eb::tools
