// After any single failed call and any kill, a good checkpoint still loads.
#include <signal.h>
#include <sys/resource.h>

#include <map>
#include <set>

#include "support/checkpoint_fixture.h"
#include "support/child.h"

namespace eb::engine {

// A save over the same step holds the new content or fails, whichever call breaks; it never reports the old
// one.
TEST_F(CheckpointTest, saving_a_step_again_replaces_it) {
  Checkpoint other = sample(20);
  other.state["lr"] = 5;
  for (const std::string call : {"create", "write", "fsync", "rename", "remove"})
    for (int n = 1; n < 12; ++n) {
      fs::remove_all(ckpt_);
      save(20);
      set_fault("eio@" + call + ":" + std::to_string(n));
      const int code = error_of([&] { save_checkpoint(ckpt_, 20, other); }).code();
      set_fault("");
      const json lr = load_checkpoint(step_path(20)).state["lr"];
      EXPECT_TRUE(lr == 5 || (code == 8001 && lr == 0.1)) << call << n;
    }
}

// Not every file system can exchange two names.
TEST_F(CheckpointTest, a_step_is_replaced_without_exchange_too) {
  save(10), save(20);
  Checkpoint other = sample(20);
  other.state["lr"] = 5;
  set_fault("enosys@rename:1");
  EXPECT_EQ(save_checkpoint(ckpt_, 20, other), SaveResult::saved);
  EXPECT_EQ(load_checkpoint(step_path(20)).state["lr"], 5);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000010", "step-00000020"}));
}

static const std::map<std::string, std::set<FileOperation::Kind>> kinds_of_call = {
    {"create", {FileOperation::Kind::create, FileOperation::Kind::make_directory}},
    {"write", {FileOperation::Kind::write}},
    {"fsync", {FileOperation::Kind::sync, FileOperation::Kind::sync_directory}},
    {"rename", {FileOperation::Kind::rename, FileOperation::Kind::exchange}},
    {"remove", {FileOperation::Kind::remove}}};

// SQLite's loop: fail the n-th call of each kind, for every n that happens.
TEST_F(CheckpointTest, any_single_failed_call_leaves_a_good_checkpoint) {
  const auto save_both = [&] { save(20, {.keep_last = 1}), save(30, {.keep_last = 1, .best = true}); };
  const auto start_over = [&] {
    set_fault("");
    fs::remove_all(ckpt_);
    save(10, {.keep_last = 1}), save(20, {.keep_last = 1});
  };
  for (const auto& [call, kinds] : kinds_of_call) {
    int calls = 0, failures = 0;
    start_over();
    observe_files([&](const FileOperation& o) { calls += static_cast<int>(kinds.count(o.kind)); });
    save_both();
    observe_files(nullptr);
    for (int n = 1; n <= calls; ++n) {
      start_over();
      set_fault("eio@" + call + ":" + std::to_string(n));
      const int code = error_of(save_both).code();
      set_fault("");
      EXPECT_TRUE(code == 8001 || code == 0) << code;
      failures += code != 0;
      expect_good(20);
      remove_stale_checkpoints(ckpt_);
      EXPECT_EQ(save(40), SaveResult::saved) << call << n;  // and the run can go on
      expect_good(40);
    }
    EXPECT_GT(calls, 1) << call;
    EXPECT_EQ(failures, calls) << call;
  }
}

TEST_F(CheckpointTest, a_kill_at_any_call_leaves_a_good_checkpoint) {
  for (const auto& [call, kinds] : kinds_of_call) {
    bool killed = true;
    for (int n = 1; killed; ++n) {
      ASSERT_LT(n, 100);
      fs::remove_all(ckpt_);
      save(10, {.keep_last = 1});
      const int status = run_in_child([&] {
        set_fault("kill@" + call + ":" + std::to_string(n));
        save(20, {.keep_last = 1}), save(20, {.keep_last = 1}), save(30, {.keep_last = 1, .best = true});
        return 0;
      });
      killed = WIFSIGNALED(status);
      ASSERT_TRUE(killed || status == 0);
      expect_good(killed ? 10 : 30);
      remove_stale_checkpoints(ckpt_);
      expect_good(killed ? 10 : 30);
      for (const std::string& name : entries()) EXPECT_NE(name[0], '.') << name;
    }
  }
}

TEST_F(CheckpointTest, a_full_disk_is_tried_again_with_more_room_and_then_reported) {
  for (const int step : {10, 20, 30}) save(step, {.keep_last = 5});
  for (int n = 1; n < 5; ++n) {
    set_fault("enospc@write:" + std::to_string(n));  // once: the second attempt works
    EXPECT_EQ(save(40, {.keep_last = 5}), SaveResult::saved);
    expect_good(40);
  }
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000040"}));
  set_fault("enospc@write:1+");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(save(50), SaveResult::disk_full);
  set_fault("enospc@rename:1+");
  EXPECT_EQ(save(50), SaveResult::disk_full);
  set_fault("");
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000040"}));
  expect_good(40);
  EXPECT_EQ(save(60), SaveResult::saved);
}

TEST_F(CheckpointTest, making_room_never_costs_the_last_good_one) {
  for (const int step : {10, 20, 30}) save(step, {.keep_last = 5});
  flip(step_path(30) / "model.safetensors", 500);
  set_fault("enospc@write:1+");
  EXPECT_EQ(save(40, {.keep_last = 5}), SaveResult::disk_full);
  set_fault("");
  EXPECT_EQ(find_latest(ckpt_)->step, 20);
  EXPECT_FALSE(fs::exists(step_path(10)));
}

// The kernel's own "no": every file may have 300 bytes, which is less than the model needs.
TEST_F(CheckpointTest, a_file_size_limit_is_a_full_disk) {
  save(10);
  const int status = run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300, 300};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return save(20) == SaveResult::disk_full && save(20) == SaveResult::disk_full ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  expect_good(10);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000010"}));
}

}  // namespace eb::engine
