// A small checkpoint whose content follows from its step, and a directory to keep some in.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/checkpoint/checkpoint.h"
#include "support/temp_dir.h"

namespace eb::engine {

using nlohmann::json;

inline Checkpoint sample(int64_t step, size_t floats = 100) {
  Checkpoint c;
  c.state = {{"step", step}, {"lr", 0.1}, {"window", {1, 2, 3}}};
  Tensor t = Tensor::empty({static_cast<int64_t>(floats)});
  for (size_t i = 0; i < floats; ++i)
    t.data<float>()[i] = static_cast<float>(step) + 1e-3f * static_cast<float>(i);
  c.model["feature.0.weight"] = t;
  c.optim["feature.0.weight"] = Tensor::zeros({3});
  c.metadata = {{"format", "1"}, {"graph", R"({"nodes":[]})"}, {"config", R"({"seed":1})"}};
  return c;
}

inline void expect_is(const Checkpoint& c, int64_t step) {
  const Checkpoint want = sample(step);
  EXPECT_EQ(c.state, want.state);
  EXPECT_EQ(c.metadata, want.metadata);
  ASSERT_EQ(c.model.size(), 1u);
  const Tensor &a = c.model.begin()->second, &b = want.model.begin()->second;
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
  EXPECT_EQ(c.optim.at("feature.0.weight").shape(), Shape{3});
}

template <class F>
Error error_of(F action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  return Error(0, "no error");
}

class CheckpointTest : public testing::Test {
 protected:
  void TearDown() override { set_fault(""), observe_files(nullptr); }
  SaveResult save(int64_t step, const CheckpointOptions& options = {}) {
    return save_checkpoint(ckpt_, step, sample(step), options);
  }
  fs::path step_path(int64_t step) const {
    const std::string n = std::to_string(step);
    return ckpt_ / ("step-" + std::string(8 - n.size(), '0') + n);
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& e : fs::directory_iterator(ckpt_)) names.push_back(e.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  // The newest intact checkpoint loads and is one that was saved.
  void expect_good(int64_t least) {
    const auto found = find_latest(ckpt_);
    ASSERT_TRUE(found.has_value());
    EXPECT_GE(found->step, least);
    expect_is(load_checkpoint(found->path), found->step);
  }
  void flip(const fs::path& file, size_t byte) {
    std::string bytes = read_file(file);
    bytes.at(byte) = static_cast<char>(bytes.at(byte) ^ 1);
    write_file_synced(file, bytes);
  }
  TempDir dir_{true};
  fs::path ckpt_ = dir_ / "ckpt";
};

}  // namespace eb::engine
