// A run that goes on with other data says which file is another one.
#include "tools/experiment/data_list.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/file.h"
#include "engine/run/names.h"
#include "support/loaders.h"

using namespace eb;
using namespace eb::test;
namespace fs = std::filesystem;

TEST(DataList, names_the_first_file_that_differs_from_the_run_s) {
  const TempDir dir;
  write_image_folder(dir.path() / "data", 3);
  data::DataConfig config;
  config.kind = data::DataConfig::Kind::image_folder;
  config.root = dir / "data";
  config.workers = 0;
  const engine::RunDir run = engine::RunDir::open(dir / "run");
  const fs::path list = run.path() / engine::file_names::data_files;
  const Error other(4050, "other data", "a hint");
  const auto message = [&] { return tools::with_difference(other, run, open(config)).message(); };
  EXPECT_EQ(message(), "other data") << "a run of before";
  tools::keep_data_list(run, open(config));
  const std::string kept = engine::read_file(list);
  EXPECT_EQ(message(), "other data") << "the same files";
  fs::remove(dir / "data/train/b/101.jpg");
  EXPECT_EQ(message(), "other data: train/b/101.jpg is gone (1 gone, 0 new, 0 changed of 18 files)");
  EXPECT_EQ(tools::with_difference(other, run, open(config)).hint(), "a hint");
  EXPECT_EQ(tools::with_difference(Error(4052, "x"), run, open(config)).message(), "x");
  tools::keep_data_list(run, open(config));
  EXPECT_EQ(engine::read_file(list), kept) << "it stays that of the start";
}
