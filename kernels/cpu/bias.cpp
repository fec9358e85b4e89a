#include "kernels/cpu/bias.h"

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {

// Rows are cut by their number alone and the parts added in order: same bits for any number of threads.
static constexpr int64_t most_parts = 16, least_rows = 64;

static int64_t parts_of(int64_t rows) {
  return std::clamp<int64_t>(rows / least_rows, 1, most_parts);
}

void add_bias(int64_t rows, int64_t k, const float* b, float* y) {
  for (int64_t row = 0; row < rows; ++row, y += k)
    for (int64_t j = 0; j < k; ++j) y[j] += b[j];
}

size_t bias_gradient_workspace(int64_t rows, int64_t k) {
  return parts_of(rows) * k * sizeof(float);
}

void bias_gradient(DType dtype, int64_t rows, int64_t k, const void* dy, float* db, void* workspace) {
  const int64_t parts = parts_of(rows), step = ceil_div(rows, parts);
  float* sums = static_cast<float*>(workspace);
  by_dtype(dtype, [&]<class T>() {
    parallel_for(parts, [&](int64_t part) {
      float* sum = sums + part * k;
      std::fill_n(sum, k, 0.f);
      const T* x = static_cast<const T*>(dy) + part * step * k;
      for (int64_t row = part * step; row < std::min(rows, (part + 1) * step); ++row, x += k)
        for (int64_t j = 0; j < k; ++j) sum[j] += x[j];
    });
  });
  std::copy_n(sums, k, db);
  for (int64_t part = 1; part < parts; ++part) add_bias(1, k, sums + part * k, db);
}

}  // namespace eb::kernels::cpu
