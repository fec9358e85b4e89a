#include "tools/doctor/libraries.h"

#include <fmt/format.h>

#include "kernels/cuda/library/shared_library.h"

namespace eb::tools {

using kernels::VendorLibrary;

namespace {

struct Nccl {
  explicit Nccl(const std::vector<std::string>& names)
      : library("NCCL 2", names,
                "pip install nvidia-nccl-cu13 (cu12 for CUDA 12), or NVIDIA's package libnccl2, and put its "
                "folder on LD_LIBRARY_PATH") {
    int v = 0;  // major * 10000 + minor * 100 + patch, as since 2.9
    if (library.function<int (*)(int*)>("ncclGetVersion")(&v) != 0)
      throw kernels::LibraryError("ncclGetVersion failed in " + library.path());
    version = fmt::format("{}.{}.{}", v / 10'000, v % 10'000 / 100, v % 100);
  }
  kernels::cuda::SharedLibrary library;
  std::string version;
};

Line library_line(const char* name, const VendorLibrary& library, bool needed, const std::string& for_what) {
  if (library.problem.empty()) return ok(name, library.version);
  if (!needed) return ok(name, "none; " + for_what);
  return warning(name, library.problem, library.remedy.empty() ? "reinstall it" : library.remedy);
}

}  // namespace

VendorLibrary read_nccl(const std::vector<std::string>& names) {
  return kernels::cuda::FoundLibrary<Nccl>(names).library;
}

std::vector<Line> library_lines(const LibraryFacts& libraries, int cards) {
  const VendorLibrary nvml{
      .version = "found",
      .problem = libraries.no_nvml,
      .remedy =
          "reinstall NVIDIA's driver, which brings it (in a container: docker run --gpus all): without it "
          "no card is listed and no energy counted"};
  const std::string without_card = "needed on a card alone";
  return {library_line("cuDNN", libraries.cudnn, cards > 0, without_card),
          library_line("cuBLAS", libraries.cublas, cards > 0, without_card),
          library_line("NCCL", libraries.nccl, cards > 1, "needed for several cards alone"),
          library_line("NVML", nvml, cards > 0, without_card)};
}

}  // namespace eb::tools
