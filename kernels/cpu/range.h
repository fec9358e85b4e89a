#pragma once
#include <cstdint>

namespace eb::kernels::cpu {

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

}  // namespace eb::kernels::cpu
