// Facts about the CPU backend, for people.
#pragma once
#include <string>

namespace eb::kernels::cpu {

std::string onednn_version();   // "2.6.3"
std::string bf16_arithmetic();  // native, or how it is done without

}  // namespace eb::kernels::cpu
