// Any bytes as CIFAR's test file, first byte odd: CIFAR-100. What is accepted has labels in range and
// readable images.
#include <cstdlib>
#include <fstream>

#include "data/dataset.h"
#include "engine/base/error.h"
#include "support/temp_dir.h"

using eb::data::Split;

static void write(const std::filesystem::path& path, const uint8_t* bytes, size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const eb::TempDir dir(true);
  if (size == 0) return 0;
  const int classes = bytes[0] & 1 ? 100 : 10;
  write(dir / (classes == 100 ? "test.bin" : "test_batch.bin"), bytes + 1, size - 1);
  try {
    const auto data = eb::data::open_cifar_bin(dir.path(), classes, Split::test);
    if (data->size() < 1) std::abort();
    for (int64_t i = 0; i < data->size(); ++i)
      if (data->label(i) < 0 || data->label(i) >= classes || data->image(i).bytes() != 3072) std::abort();
  } catch (const eb::Error& e) {
    if (e.code() != 3020 && e.code() != 3021) std::abort();
  }
  return 0;
}
