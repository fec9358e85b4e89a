#include "kernels/cpu/cpu_info.h"

#include "kernels/cpu/onednn.h"

namespace eb::kernels::cpu {

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

std::string bf16_arithmetic() {
  return native_bf16() ? "native" : "stored as bf16, computed in f32: this CPU has no bf16 instructions";
}

}  // namespace eb::kernels::cpu
