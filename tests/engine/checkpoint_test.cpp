// What a checkpoint holds, which ones are kept and found, and that no damage goes unnoticed.
#include "support/checkpoint_fixture.h"

namespace eb::engine {

TEST_F(CheckpointTest, comes_back_whole) {
  EXPECT_EQ(save(40), SaveResult::saved);
  expect_is(load_checkpoint(step_path(40)), 40);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000040"}));
  EXPECT_EQ(json::parse(read_file(ckpt_ / "latest.json")), (json{{"path", "step-00000040"}, {"step", 40}}));
  const json manifest = json::parse(read_file(step_path(40) / "manifest.json"));
  EXPECT_EQ(manifest["files"].size(), 3u);
  EXPECT_EQ(manifest["files"]["state.json"]["bytes"], fs::file_size(step_path(40) / "state.json"));
}

// The hash of a known text, computed with python-xxhash; a reader in another language must agree.
TEST_F(CheckpointTest, hashes_are_xxh3_128_in_canonical_hex) {
  Checkpoint c = sample(1);
  c.state = json::object();
  save_checkpoint(ckpt_, 1, c);
  const json manifest = json::parse(read_file(step_path(1) / "manifest.json"));
  EXPECT_EQ(read_file(step_path(1) / "state.json"), "{}");
  EXPECT_EQ(manifest["files"]["state.json"]["xxh3_128"], "dc7048f8f8747f561349cde127705c16");
}

TEST_F(CheckpointTest, same_content_gives_the_same_bytes) {
  save(1);
  const std::string first = read_file(step_path(1) / "model.safetensors");
  const std::string manifest = read_file(step_path(1) / "manifest.json");
  save(1);  // over the first
  EXPECT_EQ(read_file(step_path(1) / "model.safetensors"), first);
  EXPECT_EQ(read_file(step_path(1) / "manifest.json"), manifest);
  EXPECT_EQ(entries().size(), 2u);
}

TEST_F(CheckpointTest, keeps_what_the_options_say) {
  save(0, {.keep_last = 2, .milestone = true});
  save(10, {.keep_last = 2, .best = true});
  for (int step = 20; step <= 50; step += 10) save(step, {.keep_last = 2});
  const std::vector<std::string> kept = {"best.json",     "latest.json",   "step-00000000",
                                         "step-00000010", "step-00000040", "step-00000050"};
  EXPECT_EQ(entries(), kept);
  save(60, {.keep_last = 1, .best = true});  // the old best is only old now
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"best.json", "latest.json", "step-00000000", "step-00000060"}));
  save(70, {.keep_last = 0});  // at least one is always kept
  expect_is(load_checkpoint(step_path(70)), 70);
  EXPECT_EQ(resolve_checkpoint(ckpt_ / "best"), step_path(60));
}

TEST_F(CheckpointTest, a_run_that_went_back_owns_no_future) {
  for (const int step : {10, 20, 30}) save(step, {.keep_last = 5, .best = step == 30});
  save(15, {.keep_last = 5});
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000010", "step-00000015"}));
  EXPECT_EQ(find_latest(ckpt_)->step, 15);
}

TEST_F(CheckpointTest, every_flipped_byte_is_noticed) {
  save(10);
  for (const char* name : {"model.safetensors", "optim.safetensors", "state.json"}) {
    const fs::path file = step_path(10) / name;
    for (size_t i = 0; i < fs::file_size(file); i += 7) {
      flip(file, i);
      const Error e = error_of([&] { load_checkpoint(step_path(10)); });
      EXPECT_EQ(e.code(), 4022);
      EXPECT_NE(e.message().find(name), std::string::npos);
      EXPECT_NE(e.message().find("xxh3_128"), std::string::npos);
      flip(file, i);
    }
  }
  expect_is(load_checkpoint(step_path(10)), 10);
}

TEST_F(CheckpointTest, damage_has_a_code_and_a_name) {
  save(10);
  const fs::path path = step_path(10);
  const auto code = [&] { return error_of([&] { load_checkpoint(path); }).code(); };
  const std::string state = read_file(path / "state.json"), manifest = read_file(path / "manifest.json");
  write_file_synced(path / "state.json", state + " ");
  EXPECT_EQ(code(), 4021);
  fs::remove(path / "state.json");
  EXPECT_EQ(code(), 4021);
  fs::create_directory(path / "state.json");
  EXPECT_EQ(code(), 4021);
  fs::remove(path / "state.json");
  write_file_synced(path / "state.json", state);
  for (const std::string bad :
       {"", "{", "[]", "{}", "null", R"({"format":1,"format":1})", R"({"format":"1"})"}) {
    write_file_synced(path / "manifest.json", bad);
    EXPECT_EQ(code(), 4020) << bad;
  }
  json m = json::parse(manifest);
  m["format"] = 2;
  write_file_synced(path / "manifest.json", m.dump());
  EXPECT_EQ(code(), 4025);
  m = json::parse(manifest);
  m["files"].erase("optim.safetensors");
  write_file_synced(path / "manifest.json", m.dump());
  EXPECT_EQ(code(), 4020);
  fs::remove(path / "manifest.json");
  EXPECT_EQ(code(), 4020);
  EXPECT_EQ(error_of([&] { load_checkpoint(dir_ / "missing"); }).code(), 4020);
}

TEST_F(CheckpointTest, a_damaged_newest_falls_back_and_says_so) {
  for (const int step : {10, 20, 30}) save(step, {.keep_last = 5});
  flip(step_path(30) / "model.safetensors", 500);
  const auto found = find_latest(ckpt_);
  EXPECT_EQ(found->step, 20);
  for (const char* part : {"step-00000030/model.safetensors", "xxh3_128", "falling back to", "step-00000020"})
    EXPECT_NE(found->warning.find(part), std::string::npos) << found->warning;
  EXPECT_EQ(find_latest(ckpt_)->step, 20);
  std::string warning;
  EXPECT_EQ(resolve_checkpoint(dir_.path(), &warning), step_path(20));
  EXPECT_EQ(warning, found->warning);
  fs::remove(step_path(20) / "manifest.json");
  EXPECT_EQ(find_latest(ckpt_)->step, 10);
  fs::resize_file(step_path(10) / "optim.safetensors", 10);
  EXPECT_EQ(error_of([&] { find_latest(ckpt_); }).code(), 4026);
}

TEST_F(CheckpointTest, an_intact_newest_gives_no_warning_and_none_gives_nothing) {
  EXPECT_FALSE(find_latest(ckpt_).has_value());
  fs::create_directory(ckpt_);
  EXPECT_FALSE(find_latest(ckpt_).has_value());
  save(5);
  fs::create_directory(ckpt_ / "step-x");
  fs::create_directory(ckpt_ / "step-99");  // not our spelling
  EXPECT_EQ(find_latest(ckpt_)->step, 5);
  EXPECT_EQ(find_latest(ckpt_)->warning, "");
}

TEST_F(CheckpointTest, resolves_what_people_type) {
  save(10, {.best = true});
  save(20);
  EXPECT_EQ(resolve_checkpoint(dir_.path()), step_path(20));
  EXPECT_EQ(resolve_checkpoint(dir_.path() / ""), step_path(20));
  EXPECT_EQ(resolve_checkpoint(ckpt_), step_path(20));
  EXPECT_EQ(resolve_checkpoint(step_path(10)), step_path(10));
  EXPECT_EQ(resolve_checkpoint(step_path(10) / ""), step_path(10));
  EXPECT_EQ(resolve_checkpoint(dir_ / "best"), step_path(10));
  EXPECT_EQ(resolve_checkpoint(ckpt_ / "best.json"), step_path(10));
  EXPECT_EQ(resolve_checkpoint(dir_ / "latest"), step_path(20));
  for (const fs::path& path : {dir_ / "nothing", dir_ / "nothing" / "best", step_path(10) / "state.json"})
    EXPECT_EQ(error_of([&] { resolve_checkpoint(path); }).code(), 4024) << path;
  fs::create_directory(dir_ / "empty");
  EXPECT_EQ(error_of([&] { resolve_checkpoint(dir_ / "empty"); }).code(), 4024);
}

TEST_F(CheckpointTest, pointers_cannot_leave_the_directory) {
  save(10);
  for (const char* path : {"../step-00000010", "/etc", "step-1/../..", ""}) {
    write_file_synced(ckpt_ / "best.json", json{{"path", path}}.dump());
    EXPECT_EQ(error_of([&] { resolve_checkpoint(ckpt_ / "best"); }).code(), 4024) << path;
  }
  write_file_synced(ckpt_ / "best.json", "{broken");
  EXPECT_EQ(save(20), SaveResult::saved);
}

TEST_F(CheckpointTest, model_file_loads_alone) {
  save(10);
  const ModelFile m = load_model_file(step_path(10) / "model.safetensors");
  EXPECT_EQ(m.graph, json::parse(R"({"nodes":[]})"));
  EXPECT_EQ(m.config["seed"], 1);
  EXPECT_EQ(m.tensors.at("feature.0.weight").size(), 100);
  EXPECT_EQ(error_of([&] { load_model_file(step_path(10) / "optim.safetensors"); }).code(), 4027);
}

TEST_F(CheckpointTest, content_that_is_no_checkpoint_is_refused_though_it_hashes_right) {
  for (const char* key : {"graph", "config"})
    for (const char* value : {"", "[]", "{\"a\":1,\"a\":2}", "{"}) {
      Checkpoint c = sample(10);
      c.metadata[key] = value;
      save_checkpoint(ckpt_, 10, c);
      EXPECT_EQ(error_of([&] { load_checkpoint(step_path(10)); }).code(), 4023) << key << value;
    }
  Checkpoint c = sample(10);
  c.metadata.erase("config");
  save_checkpoint(ckpt_, 10, c);
  EXPECT_EQ(error_of([&] { load_checkpoint(step_path(10)); }).code(), 4023);
  c.state = json::array();
  EXPECT_EQ(error_of([&] { save_checkpoint(ckpt_, 20, c); }).code(), 4023);
  EXPECT_FALSE(fs::exists(step_path(20)));
}

TEST_F(CheckpointTest, export_writes_one_place_only) {
  export_checkpoint(dir_ / "out", 7, sample(7));
  expect_is(load_checkpoint(dir_ / "out"), 7);
  EXPECT_EQ(resolve_checkpoint(dir_ / "out"), dir_ / "out");
  EXPECT_EQ(error_of([&] { export_checkpoint(dir_ / "out", 8, sample(8)); }).code(), 2026);
  expect_is(load_checkpoint(dir_ / "out"), 7);
  EXPECT_EQ(error_of([&] { export_checkpoint(dir_ / "no" / "out", 8, sample(8)); }).code(), 8001);
}

TEST_F(CheckpointTest, stale_leftovers_go_and_good_ones_stay) {
  save(10);
  for (const char* name : {".tmp-step-00000020-1-2", ".del-step-00000005-1-2"}) {
    fs::create_directory(ckpt_ / name);
    write_file_synced(ckpt_ / name / "model.safetensors", "half");
  }
  write_file_synced(ckpt_ / ".tmp-latest.json-1", "half");
  remove_stale_checkpoints(ckpt_);
  EXPECT_EQ(entries(), (std::vector<std::string>{"latest.json", "step-00000010"}));
  remove_stale_checkpoints(dir_ / "missing");
}

TEST_F(CheckpointTest, disk_need_covers_what_is_written) {
  save(10);
  uint64_t size = 0;
  for (const auto& e : fs::recursive_directory_iterator(ckpt_))
    size += e.is_regular_file() ? e.file_size() : 0;
  EXPECT_GE(checkpoint_disk_need(sample(10), {.keep_last = 2}), 4 * size);
  EXPECT_LT(checkpoint_disk_need(sample(10, 1'000'000), {.keep_last = 2}), 20'000'000u);
}

}  // namespace eb::engine
