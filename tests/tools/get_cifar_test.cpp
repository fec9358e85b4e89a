// tools/get_cifar against a file:// mirror with an archive of the right names and sizes (sparse, so it is
// tiny). A md5sum in front of the real one takes that archive for the official one, and nothing else.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/paths.h"
#include "support/temp_dir.h"

namespace fs = std::filesystem;

class GetCifar : public testing::Test {
 protected:
  void SetUp() override {
    if (shell("command -v curl") != 0) GTEST_SKIP() << "no curl";
    ASSERT_EQ(
        shell("mkdir -p mirror bin make/cifar-10-batches-bin && cd make/cifar-10-batches-bin && "
              "truncate -s 30730000 data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin "
              "data_batch_5.bin test_batch.bin && cd .. && "
              "tar -Sczf ../mirror/cifar-10-binary.tar.gz cifar-10-batches-bin"),
        0)
        << said_;
    write("bin/md5sum",
          "#!/bin/sh\n"
          "want=$(/usr/bin/md5sum '" +
              (dir_ / "official").string() +
              "' | cut -d' ' -f1)\n"
              "/usr/bin/md5sum \"$1\" | sed \"s/^$want/c32a1d4ab5d03f1284b67883e8d87530/\"\n");
    ASSERT_EQ(shell("chmod +x bin/md5sum && cp mirror/cifar-10-binary.tar.gz official"), 0);
  }

  void write(const std::string& name, const std::string& text) { std::ofstream(dir_ / name) << text; }

  // Exit code; what was said is in said_.
  int shell(const std::string& command) {
    const std::string log = (dir_ / "log").string();
    const int status = std::system(
        ("cd '" + dir_.path().string() + "' && { " + command + "; } >'" + log + "' 2>&1").c_str());
    std::stringstream text;
    text << std::ifstream(log).rdbuf();
    said_ = text.str();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int get(const std::string& arguments = "10 data") {
    return shell("PATH=\"$PWD/bin:$PATH\" EB_CIFAR_URL=\"file://$PWD/mirror\" '" +
                 eb::test::source_dir().string() + "/tools/get_cifar' " + arguments);
  }
  bool complete() {
    std::error_code missing;
    return fs::file_size(dir_ / "data/cifar-10-batches-bin/test_batch.bin", missing) == 30730000;
  }

  eb::TempDir dir_;
  std::string said_;
};

TEST_F(GetCifar, downloads_verifies_and_unpacks_once) {
  EXPECT_EQ(get(), 0) << said_;
  EXPECT_TRUE(complete());
  fs::remove_all(dir_ / "mirror");
  EXPECT_EQ(get(), 0) << said_;
  EXPECT_NE(said_.find("is complete"), std::string::npos) << said_;
  EXPECT_EQ(shell("rm data/cifar-10-batches-bin/data_batch_2.bin"), 0);
  EXPECT_EQ(get(), 0) << "the archive is still there: " << said_;
  EXPECT_TRUE(complete());
  EXPECT_EQ(shell("ls -d data/unpacking.*"), 2) << "nothing is left behind: " << said_;
}

TEST_F(GetCifar, goes_on_after_an_interruption) {
  EXPECT_EQ(shell("mkdir data && head -c 1000 official >data/cifar-10-binary.tar.gz.part"), 0);
  EXPECT_EQ(get(), 0) << said_;
  EXPECT_TRUE(complete());
}

TEST_F(GetCifar, refuses_a_damaged_download) {
  EXPECT_EQ(shell("printf x | dd of=mirror/cifar-10-binary.tar.gz bs=1 seek=500 conv=notrunc"), 0);
  EXPECT_EQ(get(), 3);
  EXPECT_NE(said_.find("damaged on the way"), std::string::npos) << said_;
  EXPECT_FALSE(complete());
  EXPECT_EQ(shell("cp official mirror/cifar-10-binary.tar.gz"), 0);
  EXPECT_EQ(get(), 0) << "the damaged part must be gone: " << said_;
}

TEST_F(GetCifar, says_what_to_do_without_a_network) {
  fs::remove_all(dir_ / "mirror");
  EXPECT_EQ(get(), 3);
  EXPECT_NE(said_.find("hint: check the network"), std::string::npos) << said_;
}

TEST_F(GetCifar, refuses_a_foreign_archive) {
  EXPECT_EQ(shell("mkdir data && echo hello >data/cifar-10-binary.tar.gz"), 0);
  EXPECT_EQ(get(), 3);
  EXPECT_NE(said_.find("not the official archive"), std::string::npos) << said_;
  EXPECT_EQ(get("11"), 2);
}
