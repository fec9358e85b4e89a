// Libraries that are found, are not there, are another version, lack a function.
#include "kernels/cuda/library/shared_library.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "engine/ops/conv_choice.h"
#include "kernels/cuda/library/cudnn.h"
#include "support/error_code.h"
#include "support/paths.h"
#include "support/run_engine.h"

namespace eb::test {
namespace {

using kernels::LibraryError;
using kernels::cuda::Cudnn;
using kernels::cuda::FoundLibrary;
using kernels::cuda::SharedLibrary;

const std::string fakes = (binary_dir() / "fakes").string(), fake = fakes + "/libcudnn.so.9";

// What a LibraryError says and advises; empty without one.
template <class F>
std::string error_text(const F& f) {
  try {
    f();
  } catch (const LibraryError& e) {
    return std::string(e.what()) + " | " + e.remedy;
  }
  return "";
}

TEST(SharedLibrary, the_first_name_that_loads) {
  const SharedLibrary library("a library", {"libthere_is_none.so.1", "libm.so.6"}, "install one");
  EXPECT_NE(library.path().find("libm.so.6"), std::string::npos);
  EXPECT_EQ(library.function<double (*)(double)>("sqrt")(9.), 3.);
  EXPECT_NE(error_text([&] { library.function<void (*)()>("no_such_function"); }).find("no_such_function"),
            std::string::npos);
}

TEST(SharedLibrary, what_is_not_there_is_an_error_with_names_places_and_advice) {
  const std::string text = error_text([] {
    SharedLibrary("Some library 7", {"libnone.so.7", "/nowhere/libnone.so.7"}, "install it");
  });
  for (const char* part : {"Some library 7 was not found", "LD_LIBRARY_PATH", "libnone.so.7: cannot open",
                           "/nowhere/libnone.so.7: cannot open", "| install it"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(SharedLibrary, a_file_that_is_no_library_is_said_to_be_none) {
  const TempDir dir;
  spit(dir / "libbroken.so", "not a library");
  const std::string text = error_text([&] { SharedLibrary("It", {dir / "libbroken.so"}, ""); });
  EXPECT_NE(text.find("libbroken.so: file too short"), std::string::npos) << text;
}

TEST(CudnnLibrary, its_version_is_read) {
  setenv("FAKE_CUDNN_VERSION", "91203", 1);
  EXPECT_EQ(Cudnn({fake}).version, "9.12.3");
  setenv("FAKE_CUDNN_VERSION", "8907", 1);
  const FoundLibrary<Cudnn> old({fake});
  unsetenv("FAKE_CUDNN_VERSION");
  EXPECT_EQ(old.library.version, "");
  for (const char* part : {"libcudnn.so.9", "8.9.7", "version 9"})
    EXPECT_NE(old.library.problem.find(part), std::string::npos) << old.library.problem;
  EXPECT_NE(old.library.remedy.find("LD_LIBRARY_PATH"), std::string::npos);
  EXPECT_THROW(old.get(), LibraryError);
  EXPECT_THROW(old.get(), LibraryError) << "each time";
}

TEST(CudnnLibrary, a_library_that_is_another_has_not_its_functions) {
  EXPECT_NE(error_text([] { Cudnn({"libm.so.6"}); }).find("has no function cudnnGetVersion"),
            std::string::npos);
}

// The whole program, with our library first on the path.
TEST(CudnnLibrary, version_says_what_it_found) {
  const auto cudnn = [](const std::string& version) {
    const Outcome o =
        run_engine({"version"}, {.env = {"LD_LIBRARY_PATH=" + fakes, "FAKE_CUDNN_VERSION=" + version}});
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return o.out;
  };
  EXPECT_NE(cudnn("91203").find("cudnn: 9.12.3\n"), std::string::npos);
  EXPECT_NE(cudnn("8907").find("cudnn: none: " + fake + " is version 8.9.7"), std::string::npos)
      << cudnn("8907");
}

// tests/cuda/no_nvidia_test runs this where the libraries are hidden.
TEST(WithoutLibraries, cudnn_is_refused_by_name) {
  using engine::ConvChoice;
  if (kernels::cudnn_library().problem.empty())
    GTEST_SKIP() << "cuDNN " << kernels::cudnn_library().version << " is on this machine";
  EXPECT_EQ(kernels::library_conv2d(kernels::Device::cuda), nullptr);
  EXPECT_EQ(kernels::reference_conv2d(kernels::Device::cuda), nullptr);
  ConvChoice choice;
  const Error e = error_of([&] { choice.set_mode(ConvChoice::Mode::library, kernels::Device::cuda); });
  EXPECT_EQ(e.code(), 5003);
  EXPECT_NE(e.text().find("cuDNN 9 was not found"), std::string::npos) << e.text();
  EXPECT_NE(e.hint().find("--conv ours"), std::string::npos) << e.hint();
  choice.set_mode(ConvChoice::Mode::measured, kernels::Device::cuda);
}

}  // namespace
}  // namespace eb::test
