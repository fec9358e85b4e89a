#include "tools/experiment/version.h"

#include <nlohmann/json.hpp>

#include "kernels/built.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/reference.h"

namespace eb::tools {

static nlohmann::json devices() {
  nlohmann::json list = {"cpu"};
  if (kernels::built::cuda) list.push_back("cuda");
  return list;
}

nlohmann::json version_info() {
  return {{"eb_engine", EB_VERSION},
          {"compiler", "g++ " __VERSION__},
          {"onednn", kernels::cpu::onednn_version()},
          {"devices", devices()},
          {"bf16", kernels::cpu::bf16_arithmetic()},
          {"checkpoint_format", 1}};
}

// "9.19.0", or that there is none.
static std::string found(const kernels::VendorLibrary& library) {
  return library.problem.empty() ? library.version : "none: " + library.problem;
}

nlohmann::json version_info_with_libraries() {
  nlohmann::json info = version_info();
  info["cudnn"] = found(kernels::cudnn_library());
  info["cublas"] = found(kernels::cublas_library());
  return info;
}

}  // namespace eb::tools
