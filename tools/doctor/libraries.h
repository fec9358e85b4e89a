// The libraries that are looked for when they are first needed: cuDNN, cuBLAS, NCCL and NVML.
#pragma once
#include <vector>

#include "kernels/reference.h"
#include "tools/doctor/line.h"

namespace eb::tools {

struct LibraryFacts {
  kernels::VendorLibrary cudnn, cublas, nccl;
  std::string no_nvml;  // why there is none; empty: it is there
};
kernels::VendorLibrary read_nccl(const std::vector<std::string>& names = {"libnccl.so.2"});

// What nobody needs may be missing: without a card all of them, with one card NCCL.
std::vector<Line> library_lines(const LibraryFacts& libraries, int cards);

}  // namespace eb::tools
