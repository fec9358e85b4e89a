// What tools/run tells CMake of CUDA, with an nvcc and an nvidia-smi that say what the test wants.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/paths.h"
#include "support/temp_dir.h"

namespace fs = std::filesystem;

class BuildOptions : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(dir_ / "bin");
    fs::create_directory(dir_ / "build");
    program("nvcc", "printf 'sm_75\\nsm_80\\nsm_86\\nsm_90\\n'");
    program("nvidia-smi", "echo No devices were found; exit 6");
  }

  void program(const std::string& name, const std::string& script) {
    const fs::path path = dir_ / ("bin/" + name);
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  void card(const std::string& capabilities) { program("nvidia-smi", "printf '" + capabilities + "'"); }
  // As after a build on this machine.
  void configured() {
    std::ofstream(dir_ / "build/CMakeCache.txt") << "";
    std::system(("grep -m1 ^flags /proc/cpuinfo | cksum >'" + (dir_ / "build/cpu").string() + "'").c_str());
  }
  std::string options(const std::string& environment = "") {
    const std::string out = (dir_ / "options").string();
    const std::string command =
        "cd '" + dir_.path().string() + "' && env -u EB_CUDA -u CUDACXX PATH=\"$PWD/bin:/usr/bin:/bin\" " +
        environment + " bash -c '. \"" + (eb::test::source_dir() / "tools/lib.sh").string() +
        "\"; engine_options build; echo \"${options[*]}\"' >'" + out + "' 2>said";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read(out);
  }
  std::string said() { return read((dir_ / "said").string()); }

 private:
  static std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str().substr(0, text.str().find_last_not_of('\n') + 1);
  }
  eb::TempDir dir_;
};

TEST_F(BuildOptions, kernels_are_for_the_visible_gpus_only) {
  card("9.0\\n8.6\\n9.0\\n");
  EXPECT_EQ(options(), "-DEB_TESTS=OFF -DEB_UNITY=ON -DEB_CUDA=ON -DEB_CUDA_ARCHITECTURES=86-real;90a-real");
  EXPECT_NE(said().find("EB_CUDA=ON tools/run"), std::string::npos) << said();
}

TEST_F(BuildOptions, a_gpu_that_the_kernels_or_nvcc_do_not_know_is_no_reason_to_fail) {
  card("7.5\\n");
  EXPECT_EQ(options(), "-DEB_TESTS=OFF -DEB_UNITY=ON -DEB_CUDA=OFF");
  card("12.0\\n");
  EXPECT_EQ(options(), "-DEB_TESTS=OFF -DEB_UNITY=ON -DEB_CUDA=ON");
}

TEST_F(BuildOptions, without_a_gpu_or_nvcc_the_engine_is_for_the_cpu_and_says_how_to_change_that) {
  if (fs::exists("/dev/nvidia0")) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(options(), "-DEB_TESTS=OFF -DEB_UNITY=ON -DEB_CUDA=OFF");
  EXPECT_NE(said().find("EB_CUDA=ON tools/run"), std::string::npos) << said();
  EXPECT_EQ(options("EB_CUDA=ON"), "-DEB_TESTS=OFF -DEB_UNITY=ON -DEB_CUDA=ON -UEB_CUDA_ARCHITECTURES");
}

TEST_F(BuildOptions, a_configured_folder_keeps_what_it_has) {
  card("9.0\\n");
  configured();
  EXPECT_EQ(options(), "");
  EXPECT_EQ(said(), "");
  EXPECT_EQ(options("EB_CUDA=OFF"), "-DEB_CUDA=OFF -UEB_CUDA_ARCHITECTURES");
}
