// A small table and a folder of config files to load with it.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/config/config.h"

namespace eb::tests {

namespace fs = std::filesystem;
using engine::Config;
using engine::Field;
using engine::Table;
using nlohmann::json;
using Type = Field::Type;

inline const Table& table() {
  static const Table t{
      {Field{"name", Type::string, "x", "Name."},
       Field{"train.lr", Type::number, 0.1, "Rate."}.between(0, 10),
       Field{"train.steps", Type::integer, 5, "Steps."}.range(1, 100),
       Field{"train.at", Type::list_of_durations, json{"1ep"}, "Drops."},
       Field{"train.warmup", Type::duration, "0ep", "Warm-up."},
       Field{"train.clip", Type::number, nullptr, "Norm."}.or_null(),
       Field{"data.kind", Type::string, nullptr, "Kind."}
           .one_of({"folder", "file"})
           .must_be_given()
           .not_yet({"tape"}),
       Field{"data.root", Type::path, ".", "Root."},
       Field{"data.mean", Type::list_of_numbers, {0.5, 0.5}, "Mean."}.range(-1, 1).of_length(2),
       Field{"data.mix", Type::list_of_strings, json::array(), "Mix."}.one_of({"flip", "crop"}),
       Field{"data.fast", Type::boolean, false, "Fast."},
       Field{"data.copies", Type::integer, 1, "Copies."}.fixed(1),
       Field{"data.mode", Type::string, "f32", "Mode."}.one_of({"f32", "bf16"}).same_as({{"fp32", "f32"}}),
       Field{"graph", Type::object, nullptr, "Graph."}.or_null(),
       Field{"preset", Type::string, nullptr, "Preset."}.one_of({"small"}).or_null()},
      {{"preset", "small", {{"train.steps", 7}, {"train.lr", 0.25}}}},
      {[](Config& c) {
        if (c.get<int>("train.steps") == 13) throw c.error(2010, "train.steps", "unlucky");
      }}};
  return t;
}

class ConfigFolder : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/eb_config_XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  Config load(const std::string& text, const std::vector<std::string>& sets = {}) {
    return engine::load_config(table(), {write("c.json", text)}, sets);
  }
  // The error of a file's text; its place is cut to what follows the folder.
  Error refused(const std::string& text, const std::vector<std::string>& sets = {}) {
    try {
      load(text, sets);
    } catch (const Error& e) {
      std::string where = e.where();
      if (where.starts_with(folder_.string())) where = where.substr(folder_.string().size() + 1);
      return Error(e.code(), e.message(), e.hint(), where);
    }
    ADD_FAILURE() << "accepted: " << text;
    return Error(0, "");
  }
  Error refused_set(const std::string& set) { return refused(R"({"data": {"kind": "file"}})", {set}); }

  fs::path folder_;
};

}  // namespace eb::tests
