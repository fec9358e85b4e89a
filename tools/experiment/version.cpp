#include "tools/experiment/version.h"

#include <nlohmann/json.hpp>

#include "kernels/built.h"
#include "kernels/cpu/cpu_info.h"

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

}  // namespace eb::tools
