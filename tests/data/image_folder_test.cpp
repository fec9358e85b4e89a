// Folders of images: order, odd entries, and the real CIFAR-10 pictures where they are.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "support/data_sets.h"
#include "support/error_code.h"
#include "support/paths.h"
#include "support/temp_dir.h"

using namespace eb;
using namespace eb::test;
using data::Split;
namespace fs = std::filesystem;

TEST(ImageFolder, classes_and_files_are_sorted) {
  TempDir dir;
  write_image_folder(dir.path(), 4);
  write_bytes(dir / "train" / fs::path("b") / "0.PNG", to_png(picture(32, 32)));
  const auto train = data::open_image_folder(dir.path(), Split::train);
  ASSERT_EQ(train->size(), 13);
  EXPECT_EQ(train->class_names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(train->describe(0), (dir / "train/a/100.jpg").string());
  EXPECT_EQ(train->describe(4), (dir / "train/b/0.PNG").string());
  EXPECT_EQ(train->label(3), 0);
  EXPECT_EQ(train->label(4), 1);
  EXPECT_EQ(train->image(4).rgb, picture(32, 32).rgb);
  EXPECT_NEAR(train->image(10).rgb[2], 121, 3);  // blue of c/101.jpg
}

TEST(ImageFolder, val_stands_in_for_test_and_alone) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  fs::rename(dir / "test", dir / "val");
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::test)->size(), 6);
  fs::remove_all(dir / "train");
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::test)->classes(), 3);
  EXPECT_EQ(code_of([&] { data::open_image_folder(dir.path(), Split::train); }), 3001);
}

TEST(ImageFolder, test_labels_follow_the_classes_of_train) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  fs::remove_all(dir / "test/a");
  const auto test = data::open_image_folder(dir.path(), Split::test);
  EXPECT_EQ(test->classes(), 3);
  EXPECT_EQ(test->label(0), 1);
  fs::rename(dir / "test/b", dir / "test/bb");
  const Error e = error_of([&] { data::open_image_folder(dir.path(), Split::test); });
  EXPECT_EQ(e.code(), 3002);
  EXPECT_NE(e.message().find("bb"), std::string::npos);
}

TEST(ImageFolder, nothing_there) {
  TempDir dir;
  fs::create_directories(dir / "train");
  EXPECT_EQ(code_of([&] { data::open_image_folder(dir.path(), Split::train); }), 3002);
  fs::create_directories(dir / "train/a");
  write_bytes(dir / "train/a/readme.txt", {'x'});
  EXPECT_EQ(code_of([&] { data::open_image_folder(dir.path(), Split::train); }), 3002);
  data::DataConfig config;
  config.kind = data::DataConfig::Kind::image_folder;
  config.root = dir / "absent";
  const Error e = error_of([&] { data::open_dataset(config, Split::train); });
  EXPECT_EQ(e.code(), 3001);
  EXPECT_NE(e.message().find("absent"), std::string::npos);
  config.root = "~/absent";  // nobody has replaced it
  EXPECT_NE(error_of([&] { data::open_dataset(config, Split::train); }).hint().find("${HOME}/absent"),
            std::string::npos);
}

// Whatever calls itself an image and is none is an error of that sample, without a hang.
TEST(ImageFolder, odd_entries_are_bad_samples) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  const fs::path a = dir / "train/a";
  fs::create_directory(a / "200.jpg");  // a folder, whatever its name
  ASSERT_EQ(mkfifo((a / "300.jpg").c_str(), 0600), 0);
  fs::create_symlink("400.jpg", a / "400.jpg");
  fs::create_symlink(dir / "nowhere.jpg", a / "500.jpg");
  write_bytes(a / "600.gif", {'G', 'I', 'F', '8', '9', 'a'});
  fs::create_symlink(dir / "train/b/100.jpg", a / "700.jpg");
  fs::create_symlink("..", a / "loop");
  write_bytes(a / ".hidden.jpg", {});
  const auto train = data::open_image_folder(dir.path(), Split::train);
  ASSERT_EQ(train->size(), 8);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(code_of([&] { train->image(i); }), 3010) << train->describe(i);
  EXPECT_EQ(code_of([&] { train->image(4); }), 3011);
  EXPECT_EQ(train->image(5).rgb, train->image(6).rgb) << "a link to a file is that file";
}

// In the order of torchvision: folder by folder, each folder's own pictures by name.
TEST(ImageFolder, pictures_lie_at_any_depth) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  const auto png = to_png(picture(8, 8));
  for (const char* name : {"site/1.png", "site/x/2.png", "site-1/3.png", "0.png", ".hidden/4.png",
                           "@eaDir/5.png", "site/@eaDir/6.png", "site/__MACOSX/7.png", "site/.8.png"})
    write_bytes(dir / (std::string("train/a/") + name), png);
  write_bytes(dir / "other/9.png", png);
  fs::create_directory_symlink(dir / "other", dir / "train/a/z");
  for (const char* circle : {"train/a/z/up", "train/a/site/up"})
    fs::create_directory_symlink(dir / "train", dir / circle);
  const auto train = data::open_image_folder(dir.path(), Split::train);
  std::vector<std::string> names;
  for (int64_t i = 0; i < train->size(); ++i)
    if (train->label(i) == 0)
      names.push_back(fs::path(train->describe(i)).lexically_relative(dir / "train/a").string());
  EXPECT_EQ(names, (std::vector<std::string>{"0.png", "100.jpg", "site/1.png", "site-1/3.png", "site/x/2.png",
                                             "z/9.png"}));
  EXPECT_EQ(train->image(2).rgb, picture(8, 8).rgb);
}

TEST(ImageFolder, folders_that_systems_leave_behind_are_no_classes) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  for (const char* split : {"train", "test"})
    for (const char* name : {"@eaDir", "lost+found", "__MACOSX"})
      write_bytes(dir / split / fs::path(name) / "1.png", to_png(picture(8, 8)));
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::train)->classes(), 3);
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::test)->size(), 3);
}

TEST(ImageFolder, classes_without_training_images_are_named) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  fs::create_directories(dir / "train/bare");
  write_bytes(dir / "train/text/readme.txt", {'x'});
  const Error e = error_of([&] { data::open_image_folder(dir.path(), Split::train); });
  EXPECT_EQ(e.code(), 3002);
  EXPECT_NE(e.message().find("2 of 5 classes without images: bare, text"), std::string::npos) << e.message();
  EXPECT_NE(e.hint().find("data.allow_empty_classes"), std::string::npos);
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::train, true)->classes(), 5);
}

// ImageNet, Kaggle: test/ is a heap of files or one folder of them, val/ has the labels.
TEST(ImageFolder, labelled_folder_goes_before_test_without_labels) {
  for (const char* name : {"val", "valid", "validation"})
    for (const char* unlabelled : {"test/1.jpg", "test/unknown/1.jpg"}) {
      TempDir dir;
      write_image_folder(dir.path(), 2);
      EXPECT_EQ(data::open_image_folder(dir.path(), Split::test)->note(), "");
      fs::rename(dir / "test", dir / name);
      EXPECT_EQ(data::open_image_folder(dir.path(), Split::test)->note(), "");
      write_bytes(dir / unlabelled, to_jpeg(picture(8, 8)));
      const auto test = data::open_image_folder(dir.path(), Split::test);
      EXPECT_EQ(test->size(), 6);
      EXPECT_EQ(test->describe(0), (dir / name / fs::path("a/100.jpg")).string());
      EXPECT_NE(test->note().find(name), std::string::npos) << test->note();
    }
}

TEST(ImageFolder, names_that_differ_in_unicode_form_are_told) {
  TempDir dir;
  const auto png = to_png(picture(8, 8));
  write_bytes(dir / "train/cafe\xcc\x81/1.png", png);  // NFD
  write_bytes(dir / "test/caf\xc3\xa9/1.png", png);    // NFC
  const Error e = error_of([&] { data::open_image_folder(dir.path(), Split::test); });
  EXPECT_EQ(e.code(), 3002);
  EXPECT_NE(e.hint().find("NFC"), std::string::npos) << e.hint();
  fs::rename(dir / "test/caf\xc3\xa9", dir / "test/caf\xc3\xa9s");
  const Error other = error_of([&] { data::open_image_folder(dir.path(), Split::test); });
  EXPECT_EQ(other.hint().find("NFC"), std::string::npos) << other.hint();
}

TEST(ImageFolder, symlink_loop_among_classes_is_no_class) {
  TempDir dir;
  write_image_folder(dir.path(), 1);
  fs::create_symlink("loop", dir / "train/loop");
  EXPECT_EQ(data::open_image_folder(dir.path(), Split::train)->classes(), 3);
}

TEST(ImageFolder, fingerprint_sees_names_and_sizes) {
  TempDir dir;
  write_image_folder(dir.path(), 3);
  const auto fingerprint = [&] { return data::open_image_folder(dir.path(), Split::train)->fingerprint(); };
  const uint64_t before = fingerprint();
  EXPECT_EQ(before, fingerprint());
  fs::rename(dir / "train/a/100.jpg", dir / "train/a/101x.jpg");
  EXPECT_NE(before, fingerprint());
}

TEST(ImageFolder, real_pictures_decode) {
  const fs::path archive = test::source_dir() / "../shared/data/cifar10-jpeg.tar.zst";
  if (!fs::exists(archive)) GTEST_SKIP() << "no " << archive.string();
  TempDir dir;
  const std::string untar = "zstd -dc '" + archive.string() + "' | tar -x -C '" + dir.path().string() +
                            "' test/airplane test/truck 2>/dev/null";
  if (std::system(untar.c_str()) != 0) GTEST_SKIP() << "cannot unpack (tar and zstd)";
  const auto test = data::open_image_folder(dir.path(), Split::test);
  ASSERT_EQ(test->size(), 2000);
  for (int64_t i = 0; i < test->size(); ++i) ASSERT_EQ(test->image(i).bytes(), 3072u) << test->describe(i);
}
