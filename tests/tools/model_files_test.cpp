// Experiments by name.
#include "tools/experiment/model_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/base/error.h"
#include "support/temp_dir.h"

using namespace eb;
using tools::experiment_files;
namespace fs = std::filesystem;

class ModelFiles : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"here/vgg16.json", "installed/vgg16.json", "installed/quickstart.json"}) {
      fs::create_directories((dir_ / name).parent_path());
      std::ofstream(dir_ / name) << "{}";
    }
  }
  fs::path of(const fs::path& word) { return experiment_files({word}, folders_).at(0); }

  TempDir dir_;
  std::vector<fs::path> folders_ = {dir_ / "here", dir_ / "absent", dir_ / "installed"};
};

TEST_F(ModelFiles, the_first_folder_that_has_the_name_decides) {
  EXPECT_EQ(of("vgg16"), dir_ / "here/vgg16.json");
  EXPECT_EQ(of("quickstart"), dir_ / "installed/quickstart.json");
}

TEST_F(ModelFiles, a_path_is_taken_as_it_is_there_or_not) {
  const fs::path file = dir_ / "installed/vgg16.json";
  EXPECT_EQ(of(file), file);
  EXPECT_EQ(of("models/absent.json"), "models/absent.json");
  EXPECT_EQ(of("quickstart.json"), "quickstart.json");
  EXPECT_EQ(of(""), "");
}

TEST_F(ModelFiles, a_file_of_the_current_directory_goes_before_a_name_and_a_directory_does_not) {
  const fs::path before = fs::current_path();
  fs::current_path(dir_.path());
  std::ofstream("quickstart") << "{}";
  fs::create_directory("vgg16");
  EXPECT_EQ(of("quickstart"), "quickstart");
  EXPECT_EQ(of("vgg16"), dir_ / "here/vgg16.json");
  fs::current_path(before);
}

TEST_F(ModelFiles, an_unknown_name_is_an_error_that_lists_what_there_is) {
  try {
    of("quikstart");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), 2012);
    EXPECT_EQ(e.hint(), "did you mean \"quickstart\"? there are: quickstart, vgg16");
  }
}

TEST(ModelFolders, a_binary_of_a_build_folder_finds_the_models_beside_it) {
  EXPECT_EQ(experiment_files({"quickstart"}, tools::model_folders()).at(0).filename(), "quickstart.json");
}
