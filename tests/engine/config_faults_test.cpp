// Everything a config file or --set can do wrong: code, place and hint.
#include <sys/stat.h>

#include "support/config_fixture.h"

using namespace eb;
using namespace eb::tests;
using ConfigFaults = ConfigFolder;

TEST_F(ConfigFaults, unknown_keys) {
  Error e = refused("{\n\"train\": {\n  \"lrr\": 1}}");
  EXPECT_EQ(e.code(), 2003);
  EXPECT_EQ(e.message(), "unknown key \"train.lrr\"");
  EXPECT_EQ(e.where(), "c.json:3:3   (/train/lrr)");
  EXPECT_EQ(e.hint(), "did you mean \"lr\"?   see: eb_engine config explain train");
  EXPECT_EQ(refused(R"({"trian": {}})").hint(), "did you mean \"train\"?   see: eb_engine config explain");
  EXPECT_TRUE(refused(R"({"warmup": "1ep"})").hint().starts_with("did you mean \"train.warmup\"?"));
  EXPECT_EQ(refused(R"({"train.lr": 1})").code(), 2003);
  EXPECT_EQ(refused(R"({"": 1})").code(), 2003);
  EXPECT_EQ(refused(R"({"train": {"": {"": 1}}})").code(), 2003);
  e = refused("{\"" + std::string(1'000'000, 'x') + "\\u0007\": 1}");
  EXPECT_EQ(e.code(), 2003);
  EXPECT_LT(e.text().size(), 1000u);
}

TEST_F(ConfigFaults, wrong_types) {
  EXPECT_EQ(refused(R"({"train": {"steps": "7"}})").message(), "train.steps: want an integer, got \"7\"");
  for (const char* text : {R"({"train": {"steps": 7.5}})",
                           R"({"train": {"steps": 1e1}})",
                           R"({"train": {"steps": true}})",
                           R"({"train": {"steps": null}})",
                           R"({"train": {"lr": "a"}})",
                           R"({"train": 3})",
                           R"({"train": []})",
                           R"({"train": null})",
                           R"({"name": 7})",
                           R"({"name": ["a"]})",
                           R"({"data": {"mean": 1}})",
                           R"({"data": {"mean": {}}})",
                           R"({"data": {"mean": [1, "a"]}})",
                           R"({"data": {"mix": "flip"}})",
                           R"({"data": {"fast": 1}})",
                           R"({"graph": []})",
                           R"({"train": {"warmup": 1}})",
                           R"([])",
                           R"(7)",
                           R"({"extends": 7})"})
    EXPECT_EQ(refused(text).code(), 2004) << text;
  EXPECT_EQ(refused("{\"data\": {\"mean\": [0,\n \"a\"]}}").where(), "c.json:2:2   (/data/mean/1)");
}

TEST_F(ConfigFaults, out_of_range) {
  for (const char* text :
       {R"({"train": {"steps": 0}})", R"({"train": {"steps": 101}})",
        R"({"train": {"steps": -9223372036854775808}})", R"({"train": {"steps": 18446744073709551615}})",
        R"({"train": {"lr": 0}})", R"({"train": {"lr": 10}})", R"({"data": {"mean": [0, 1.5]}})",
        R"({"data": {"mean": [0]}})", R"({"data": {"kind": "flder"}})",
        R"({"data": {"mix": ["flip", "flop"]}})", R"({"data": {"root": "${PATH}/x"}})",
        R"({"name": "a\u0000b"})"})
    EXPECT_EQ(refused(text).code(), 2005) << text;
  EXPECT_EQ(refused(R"({"train": {"steps": 0}})").message(),
            "train.steps: 0 is out of range, want 1 <= x <= 100");
  EXPECT_EQ(refused(R"({"train": {"lr": 0}})").message(), "train.lr: 0 is out of range, want 0 < x < 10");
  const Error e = refused(R"({"data": {"kind": "flder"}})");
  EXPECT_EQ(e.message(), "data.kind: \"flder\" is not a choice, want folder | file");
  EXPECT_EQ(e.hint(), "did you mean \"folder\"?");
  EXPECT_EQ(refused("{\"name\": \"" + std::string(5000, 'a') + "\"}").code(), 2005);
}

TEST_F(ConfigFaults, other_faults_of_values) {
  EXPECT_EQ(refused(R"({"train": {"warmup": "5 epochs"}})").code(), 2008);
  EXPECT_EQ(refused(R"({"train": {"at": ["1ep", "x"]}})").where(), "c.json:1:26   (/train/at/1)");
  EXPECT_EQ(refused(R"({"data": {"kind": "tape"}})").code(), 2011);
  EXPECT_EQ(refused(R"({"data": {"copies": 2}})").code(), 2011);
  EXPECT_EQ(refused(R"({"data": {"kind": "file"}, "train": {"steps": 13}})").where(),
            "c.json:1:38   (/train/steps)");
  EXPECT_EQ(refused(R"({"name": "a"})").code(), 2006);
  EXPECT_EQ(refused(R"({"name": "a"})").message(), "missing required key \"data.kind\"");
  EXPECT_EQ(refused(R"({"train": {"lr": NaN}})").code(), 2001);
  EXPECT_EQ(refused(R"({"name": "a", "name": "b"})").code(), 2002);
  EXPECT_EQ(load(R"({"data": {"kind": "file", "mode": "fp32"}})").get<std::string>("data.mode"), "f32");
}

TEST_F(ConfigFaults, extends_faults) {
  write("base/x.json", "{}");
  write("loop.json", R"({"extends": "c.json"})");
  for (const char* base : {"c.json", "loop.json", "missing.json", "../c.json", "base/../base/x.json",
                           "/etc/passwd", "", "base", ".", "a\\u0000b"})
    EXPECT_EQ(refused(std::string("{\"extends\": \"") + base + "\"}").code(), 2007) << base;
  EXPECT_EQ(refused("{\n \"extends\": \"missing.json\"}").where(), "c.json:2:2   (/extends)");

  write("base/up.json", R"({"extends": "../c.json"})");
  EXPECT_EQ(refused(R"({"extends": "base/up.json"})").code(), 2007);

  const fs::path outside = folder_.string() + "_outside.json";
  std::ofstream(outside) << "{}";
  fs::create_symlink(outside, folder_ / "link.json");
  fs::create_symlink("base", folder_ / "dir");
  fs::create_symlink("/tmp", folder_ / "out");
  EXPECT_EQ(refused(R"({"extends": "link.json"})").code(), 2007);
  EXPECT_EQ(refused("{\"extends\": \"out/" + outside.filename().string() + "\"}").code(), 2007);
  fs::remove(outside);
}

TEST_F(ConfigFaults, extends_is_at_most_8_deep) {
  for (int i = 0; i < 9; ++i)
    write(std::to_string(i) + ".json", "{\"extends\": \"" + std::to_string(i + 1) + ".json\"}");
  write("8.json", R"({"data": {"kind": "file"}})");
  EXPECT_EQ(engine::load_config(table(), {folder_ / "0.json"}).get<std::string>("data.kind"), "file");
  write("8.json", R"({"extends": "9.json"})");
  write("9.json", R"({"data": {"kind": "file"}})");
  EXPECT_THROW(
      {
        try {
          engine::load_config(table(), {folder_ / "0.json"});
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), 2007);
          throw;
        }
      },
      Error);
}

TEST_F(ConfigFaults, files_that_are_none) {
  const auto code = [&](const fs::path& path) {
    try {
      engine::load_config(table(), {path});
    } catch (const Error& e) {
      return e.code();
    }
    return 0;
  };
  EXPECT_EQ(code(folder_ / "none.json"), 2012);
  EXPECT_EQ(code(folder_), 2012);
  EXPECT_EQ(code("/dev/zero"), 2012);
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(code(folder_ / "pipe"), 2012);
  EXPECT_EQ(code(write("big.json", std::string((4 << 20) + 1, ' '))), 2001);
  EXPECT_EQ(code(write("empty.json", "")), 2001);
  fs::create_symlink(write("real.json", R"({"data": {"kind": "file"}})"), folder_ / "link.json");
  EXPECT_EQ(code(folder_ / "link.json"), 0);
}

TEST_F(ConfigFaults, set_faults) {
  for (const char* set : {"train.lr",
                          "",
                          "=1",
                          ".=1",
                          "train..lr=1",
                          "train.lr.=1",
                          "train.lr=",
                          "train.lr=abc",
                          "train.lr=[1",
                          "data.mean[2]=0",
                          "data.mean[-1]=0",
                          "data.mean[]=0",
                          "data.mean[1=0",
                          "data.mean[1]x=0",
                          "data.mean[99999999999999999999]=0",
                          "train[0]=1",
                          "data.mean.x=1",
                          "train.lr[0]=1",
                          "train.lr=1 2",
                          "[0]=1"})
    EXPECT_EQ(refused_set(set).code(), 2009) << set;
  EXPECT_EQ(refused_set("train.lrr=1").code(), 2003);
  EXPECT_EQ(refused_set("train.lrr=1").where(), "--set train.lrr=1");
  EXPECT_EQ(refused_set("extends=\"c.json\"").code(), 2003);
  EXPECT_EQ(refused_set("name=7").code(), 2004);
  EXPECT_EQ(refused_set("name=7").hint(), "put it in quotes: \"7\"");
  EXPECT_EQ(refused_set("train=3").code(), 2004);
  EXPECT_EQ(refused_set("train.steps=1000").code(), 2005);
  EXPECT_EQ(refused_set("train.warmup=3").code(), 2004);
  EXPECT_EQ(refused_set("train.warmup=3x").code(), 2008);
}
