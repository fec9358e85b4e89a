// CIFAR's binary files, whole and damaged.
#include <gtest/gtest.h>

#include "data/dataset.h"
#include "support/data_sets.h"
#include "support/error_code.h"
#include "support/temp_dir.h"

using namespace eb;
using namespace eb::test;
using data::Split;

static Error refused(const std::filesystem::path& root, int classes = 10) {
  return error_of([&] { data::open_cifar_bin(root, classes, Split::train); });
}

TEST(CifarBin, reads_cifar10) {
  TempDir dir;
  write_cifar10(dir.path());
  const auto train = data::open_cifar_bin(dir.path(), 10, Split::train);
  ASSERT_EQ(train->size(), 10);
  EXPECT_EQ(train->classes(), 10);
  EXPECT_EQ(train->label(3), 6);  // second record of the second file
  const data::Image image = train->image(3);
  EXPECT_EQ(image.width, 32);
  EXPECT_EQ(image.height, 32);
  for (int p = 0; p < 1024; ++p) {
    ASSERT_EQ(image.rgb[3 * p], 3);
    ASSERT_EQ(image.rgb[3 * p + 1], 53);
    ASSERT_EQ(image.rgb[3 * p + 2], 103);
  }
  EXPECT_EQ(train->describe(3), (dir / "data_batch_2.bin").string() + ", record 1");
  EXPECT_EQ(data::open_cifar_bin(dir.path(), 10, Split::test)->size(), 3);
}

TEST(CifarBin, pixel_order_is_planes_of_rows) {
  TempDir dir;
  write_cifar10(dir.path());
  auto bytes = cifar_records({1});
  bytes[1 + 1024 + 32 * 5 + 7] = 250;  // green, row 5, column 7
  write_bytes(dir / "test_batch.bin", bytes);
  EXPECT_EQ(data::open_cifar_bin(dir.path(), 10, Split::test)->image(0).rgb[(32 * 5 + 7) * 3 + 1], 250);
}

TEST(CifarBin, reads_fine_labels_of_cifar100) {
  TempDir dir;
  write_bytes(dir / "train.bin", cifar_records({99, 42}, 0, 2));
  write_bytes(dir / "fine_label_names.txt", {'a', '\n', 'b', '\n'});
  const auto train = data::open_cifar_bin(dir.path(), 100, Split::train);
  EXPECT_EQ(train->label(0), 99);
  EXPECT_EQ(train->label(1), 42);
  EXPECT_EQ(train->class_names()[1], "b");
  EXPECT_EQ(train->class_names()[99], "class 99");
  EXPECT_EQ(train->image(1).rgb[0], 1);
}

TEST(CifarBin, missing_file_says_what_to_run) {
  TempDir dir;
  const Error e = refused(dir.path());
  EXPECT_EQ(e.code(), 3001);
  EXPECT_EQ(e.exit_code(), 3);
  EXPECT_NE(e.hint().find("tools/get_cifar 10"), std::string::npos) << e.hint();
}

TEST(CifarBin, missing_file_may_be_in_a_folder_below) {
  TempDir dir;
  write_bytes(dir / "cifar-10-batches-py/batches.meta", {1});
  const std::string python = refused(dir.path()).hint();
  EXPECT_NE(python.find((dir / "cifar-10-batches-py").string()), std::string::npos) << python;
  EXPECT_NE(python.find("Python"), std::string::npos) << python;
  EXPECT_EQ(refused(dir / "cifar-10-batches-py").hint(), python);
  write_cifar10(dir / "cifar-10-batches-bin");
  EXPECT_EQ(refused(dir.path()).hint(), "set data.root to " + (dir / "cifar-10-batches-bin").string());
  std::filesystem::remove(dir / "cifar-10-batches-bin/data_batch_2.bin");
  EXPECT_NE(refused(dir / "cifar-10-batches-bin").hint().find("tools/get_cifar 10"), std::string::npos);
}

TEST(CifarBin, truncated_oversized_and_empty_files) {
  TempDir dir;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{3072}, size_t{2 * 3073 - 1}, size_t{2 * 3073 + 1}}) {
    write_cifar10(dir.path());
    auto bytes = cifar_records({1, 2, 3});
    bytes.resize(size);
    write_bytes(dir / "data_batch_4.bin", bytes);
    const Error e = refused(dir.path());
    EXPECT_EQ(e.code(), 3020) << size;
    EXPECT_NE(e.message().find("data_batch_4.bin"), std::string::npos) << e.message();
  }
}

TEST(CifarBin, wrong_label_names_the_byte) {
  TempDir dir;
  write_cifar10(dir.path());
  write_bytes(dir / "data_batch_5.bin", cifar_records({1, 10}));
  const Error e = refused(dir.path());
  EXPECT_EQ(e.code(), 3021);
  EXPECT_NE(e.message().find("label 10 at byte 3073"), std::string::npos) << e.message();
}

TEST(CifarBin, a_folder_instead_of_a_file) {
  TempDir dir;
  write_cifar10(dir.path());
  std::filesystem::remove(dir / "data_batch_1.bin");
  std::filesystem::create_directory(dir / "data_batch_1.bin");
  EXPECT_EQ(refused(dir.path()).code(), 3010);
}

TEST(CifarBin, fingerprint_sees_every_byte) {
  TempDir dir;
  write_cifar10(dir.path());
  const uint64_t before = data::open_cifar_bin(dir.path(), 10, Split::train)->fingerprint();
  EXPECT_EQ(before, data::open_cifar_bin(dir.path(), 10, Split::train)->fingerprint());
  auto bytes = cifar_records({2, 7}, 4);
  bytes[2000] ^= 1;
  write_bytes(dir / "data_batch_3.bin", bytes);
  EXPECT_NE(before, data::open_cifar_bin(dir.path(), 10, Split::train)->fingerprint());
}

TEST(CifarBin, file_cut_while_in_use_is_an_error) {
  TempDir dir;
  write_cifar10(dir.path());
  const auto train = data::open_cifar_bin(dir.path(), 10, Split::train);
  std::filesystem::resize_file(dir / "data_batch_1.bin", 4000);
  EXPECT_EQ(code_of([&] { train->image(0); }), 0);
  EXPECT_EQ(code_of([&] { train->image(1); }), 3010);
}
