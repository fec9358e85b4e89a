// The format's own reader and writer must agree with ours. EB_PYTHON names a Python that has the package.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "engine/base/file.h"
#include "engine/checkpoint/safetensors.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace eb::engine {

static Tensor bytes_as(Shape shape, DType dtype, const std::string& bytes) {
  const Tensor t = Tensor::empty(std::move(shape), dtype);
  if (t.bytes() > 0) std::memcpy(t.raw(), bytes.data(), t.bytes());
  return t;
}

TEST(SafetensorsPython, both_sides_write_the_same_bytes) {
  SafetensorsFile f;
  f.metadata = {{"format", "pt"}};
  f.tensors["conv.weight"] = bytes_as({1, 2}, DType::f32, std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  f.tensors["a/mask-1"] = bytes_as({3}, DType::u8, std::string("\0\1\xff", 3));
  f.tensors["half"] = bytes_as({1}, DType::bf16, "\x80\x3f");
  f.tensors["index"] = bytes_as({1}, DType::i32, "\1\2\3\4");
  f.tensors["scalar"] = bytes_as({}, DType::f64, "abcdefgh");
  f.tensors["empty"] = bytes_as({0, 3}, DType::f32, "");
  TempDir dir(true);
  write_file_synced(dir / "in", to_safetensors(f));
  const char* python = std::getenv("EB_PYTHON");
  const std::string command = std::string(python ? python : "python3") + " " + test::source_dir().string() +
                              "/tests/tools/read_safetensors.py " + (dir / "in").string() + " " +
                              (dir / "out").string() + " >" + (dir / "seen").string();
  const int code = WEXITSTATUS(std::system(command.c_str()));
  if (code == 77 || code == 127)
    GTEST_SKIP() << "no Python with the package safetensors; set EB_PYTHON to one";
  ASSERT_EQ(code, 0);
  EXPECT_EQ(read_file(dir / "seen"),
            "a/mask-1 U8 [3] 0001ff\n"
            "conv.weight F32 [1, 2] 0000803f00000040\n"
            "empty F32 [0, 3] \n"
            "half BF16 [1] 803f\n"
            "index I32 [1] 01020304\n"
            "scalar F64 [] 6162636465666768\n");
  EXPECT_EQ(read_file(dir / "out"), read_file(dir / "in"));
}

}  // namespace eb::engine
