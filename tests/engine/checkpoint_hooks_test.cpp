// The part of a checkpoint that exists only where a hook of the session keeps tensors, and a checkpoint that
// takes the place of another.
#include "support/checkpoint_fixture.h"

namespace eb::engine {

static Checkpoint with_hooks(int64_t step) {
  Checkpoint c = sample(step);
  c.hooks["swa/feature.0.weight"] = c.model.begin()->second;
  return c;
}

TEST_F(CheckpointTest, tensors_of_hooks_come_back_and_are_hashed) {
  save_checkpoint(ckpt_, 10, with_hooks(10));
  EXPECT_EQ(json::parse(read_file(step_path(10) / "manifest.json"))["files"].size(), 4u);
  const Checkpoint c = load_checkpoint(step_path(10));
  expect_is(c, 10);
  ASSERT_EQ(c.hooks.size(), 1u);
  const Tensor got = c.hooks.at("swa/feature.0.weight"), want = sample(10).model.begin()->second;
  ASSERT_EQ(got.shape(), want.shape());
  EXPECT_EQ(std::memcmp(got.raw(), want.raw(), want.bytes()), 0);
  flip(step_path(10) / "hooks.safetensors", 300);
  const Error e = error_of([&] { load_checkpoint(step_path(10)); });
  EXPECT_EQ(e.code(), 4022);
  EXPECT_NE(e.message().find("hooks.safetensors"), std::string::npos);
  fs::remove(step_path(10) / "hooks.safetensors");
  EXPECT_EQ(error_of([&] { verify_checkpoint(step_path(10)); }).code(), 4021);
}

TEST_F(CheckpointTest, no_hook_no_part) {
  save(10);
  EXPECT_FALSE(fs::exists(step_path(10) / "hooks.safetensors"));
  EXPECT_TRUE(load_checkpoint(step_path(10)).hooks.empty());
  json m = json::parse(read_file(step_path(10) / "manifest.json"));
  m["files"]["hooks.safetensors"] = 3;
  write_file_synced(step_path(10) / "manifest.json", m.dump());
  EXPECT_EQ(error_of([&] { load_checkpoint(step_path(10)); }).code(), 4020);
}

TEST_F(CheckpointTest, hooks_and_growth_count_in_the_disk_need) {
  const uint64_t without = checkpoint_disk_need(sample(1), {}),
                 with = checkpoint_disk_need(with_hooks(1), {});
  EXPECT_GE(with, without + 4 * 400);
  EXPECT_GE(checkpoint_disk_need(sample(1), {}, 1000), without + 4 * 1000);
}

TEST_F(CheckpointTest, one_takes_the_place_of_another) {
  const fs::path path = dir_ / "own";
  replace_checkpoint(path, 1, sample(1));
  expect_is(load_checkpoint(path), 1);
  replace_checkpoint(path, 2, sample(2));
  expect_is(load_checkpoint(path), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1);
}

}  // namespace eb::engine
