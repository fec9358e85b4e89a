// Kill tests show what a dead process leaves; a dead machine also loses what was written and not synced.
#include "support/checkpoint_fixture.h"
#include "support/disk_model.h"

namespace eb::engine {

using PowerLossTest = CheckpointTest;
using Loss = DiskModel::Loss;

// After every operation of `action` the power fails; `check` gets each directory that could be found then.
template <class Action, class Check>
static int lose_power_everywhere(const fs::path& root, Action action, Check check) {
  struct Recorded {
    FileOperation operation;
    std::string bytes;
  };
  std::vector<Recorded> recorded;
  DiskModel disk(root);
  observe_files([&](const FileOperation& o) { recorded.push_back({o, std::string(o.bytes)}); });
  action();
  observe_files(nullptr);
  TempDir worlds(true);
  int count = 0;
  for (Recorded& r : recorded) {
    r.operation.bytes = r.bytes;
    disk.apply(r.operation);
    for (const Loss loss : {Loss::nothing, Loss::bytes, Loss::names_and_bytes}) {
      const fs::path world = worlds / std::to_string(count++);
      disk.write_to(world, loss);
      check(world);
    }
  }
  return count;
}

static int64_t newest_good(const fs::path& ckpt) {
  remove_stale_checkpoints(ckpt);
  const auto found = find_latest(ckpt);
  if (!found) return -1;
  expect_is(load_checkpoint(found->path), found->step);
  return found->step;
}

TEST_F(PowerLossTest, a_good_checkpoint_is_left_whenever_it_happens) {
  save(10, {.keep_last = 1});
  const int worlds = lose_power_everywhere(
      ckpt_,
      [&] {
        save(20, {.keep_last = 1, .best = true});
        save(20, {.keep_last = 1});
        save(30, {.keep_last = 1});
      },
      [](const fs::path& world) { EXPECT_GE(newest_good(world), 10); });
  EXPECT_GT(worlds, 100);
}

TEST_F(PowerLossTest, a_finished_save_is_safe) {
  save(10, {.keep_last = 1});
  fs::path last;
  int64_t step = 0;
  lose_power_everywhere(
      ckpt_, [&] { save(20, {.keep_last = 1}); },
      [&](const fs::path& world) {
        step = newest_good(world);  // the last world: everything not synced is lost
        EXPECT_TRUE(step == 10 || step == 20);
      });
  EXPECT_EQ(step, 20);
}

TEST_F(PowerLossTest, a_replaced_file_is_the_old_or_the_new_one) {
  fs::create_directory(ckpt_);
  write_file_synced(ckpt_ / "status.json", "old");
  std::string found;
  lose_power_everywhere(
      ckpt_, [&] { replace_file(ckpt_ / "status.json", "new"); },
      [&](const fs::path& world) {
        found = read_file(world / "status.json");
        EXPECT_TRUE(found == "old" || found == "new") << found;
      });
  EXPECT_EQ(found, "new");
}

}  // namespace eb::engine
