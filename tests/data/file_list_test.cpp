// Which file is another one since a run began.
#include "data/file_list.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/data_sets.h"
#include "support/temp_dir.h"

using namespace eb;
using namespace eb::test;
namespace fs = std::filesystem;

class FileList : public testing::Test {
 protected:
  void SetUp() override {
    write_image_folder(dir_.path(), 3);
    before_ = list();
  }
  std::string list() const {
    const auto [train, test] = data();
    return data::file_list(*train, *test);
  }
  std::string difference() const { return difference(before_); }
  std::string difference(const std::string& before) const {
    const auto [train, test] = data();
    return data::difference(before, *train, *test);
  }
  std::pair<std::shared_ptr<const data::Dataset>, std::shared_ptr<const data::Dataset>> data() const {
    return {data::open_image_folder(dir_.path(), data::Split::train),
            data::open_image_folder(dir_.path(), data::Split::test)};
  }

  TempDir dir_;
  std::string before_;
};

TEST_F(FileList, the_same_files_differ_in_nothing) {
  EXPECT_EQ(list(), before_);
  EXPECT_EQ(difference(), "");
  EXPECT_EQ(std::count(before_.begin(), before_.end(), '\n'), 1 + 2 * 3 * 3);
}

TEST_F(FileList, names_the_first_that_is_gone) {
  fs::remove(dir_ / "train/b/101.jpg");
  fs::remove(dir_ / "test/a/100.jpg");
  EXPECT_EQ(difference(), "train/b/101.jpg is gone (2 gone, 0 new, 0 changed of 18 files)");
  fs::remove(dir_ / "train/b/101.jpg");
}

TEST_F(FileList, names_the_first_that_is_new) {
  write_bytes(dir_ / "train/a/1.jpg", to_jpeg(gradient(32, 32)));
  EXPECT_EQ(difference(), "train/a/1.jpg is new (0 gone, 1 new, 0 changed of 18 files)");
  fs::rename(dir_ / "train/a/1.jpg", dir_ / "test/c/999.jpg");
  EXPECT_EQ(difference(), "test/c/999.jpg is new (0 gone, 1 new, 0 changed of 18 files)");
}

TEST_F(FileList, names_the_first_that_has_changed) {
  write_bytes(dir_ / "test/c/102.png", {1, 2, 3});
  EXPECT_EQ(difference(), "test/c/102.png has changed (0 gone, 0 new, 1 changed of 18 files)");
}

TEST_F(FileList, any_name_comes_back) {
  for (const char* name :
       {"train/a/100 7.jpg", "train/a/1\n2 3.jpg", "train/a/100\xff.jpg", "train/b/\xc3\xa4.jpg"})
    write_bytes(dir_ / name, to_jpeg(gradient(32, 32)));
  before_ = list();
  EXPECT_EQ(difference(), "");
  fs::remove(dir_ / "train/a/1\n2 3.jpg");
  EXPECT_TRUE(difference().starts_with("train/a/1\n2 3.jpg is gone")) << difference();
}

TEST_F(FileList, what_is_no_list_says_nothing) {
  fs::remove(dir_ / "train/b/101.jpg");
  EXPECT_NE(difference(), "");
  for (const std::string& text : {std::string(), std::string("something"), before_ + "1",
                                  before_ + "9999 1 1 x\n", before_.substr(0, before_.size() / 2)})
    EXPECT_EQ(difference(text), "") << text;
}

TEST(FileListOfCifar, names_the_file) {
  TempDir dir;
  write_cifar10(dir.path());
  const auto open = [&](data::Split split) { return data::open_cifar_bin(dir.path(), 10, split); };
  const std::string before = data::file_list(*open(data::Split::train), *open(data::Split::test));
  auto records = cifar_records({2, 7}, 4);
  records[100] ^= 1;
  write_bytes(dir / "data_batch_3.bin", records);
  EXPECT_TRUE(data::difference(before, *open(data::Split::train), *open(data::Split::test))
                  .starts_with("data_batch_3.bin has changed"));
}

TEST(FileListOfSynthetic, is_empty) {
  data::DataConfig::Synthetic options;
  options.train = options.test = 4;
  const auto train = data::make_synthetic(options, data::Split::train);
  EXPECT_EQ(data::file_list(*train, *train), "");
}
