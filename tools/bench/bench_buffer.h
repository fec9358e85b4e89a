// Device buffers of `bench kernels`, filled with random numbers: zeros draw less power and time better.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/memory.h"
#include "kernels/philox.h"

namespace eb::tools {

class BenchBuffer {
 public:
  BenchBuffer(kernels::Device device, int64_t elements, kernels::DType dtype)
      : memory_(kernels::memory(device)), bytes_(static_cast<size_t>(elements) * kernels::size_of(dtype)) {
    block_ = std::shared_ptr<void>(memory_.allocate(bytes_), memory_.release);
    if (dtype == kernels::DType::f32 || dtype == kernels::DType::bf16) randomize(dtype);
  }
  BenchBuffer(kernels::Device device, size_t bytes) : memory_(kernels::memory(device)), bytes_(bytes) {
    block_ = std::shared_ptr<void>(memory_.allocate(bytes), memory_.release);
    memory_.zero(block_.get(), bytes);
  }
  template <class T = void>
  T* get() const {
    return static_cast<T*>(block_.get());
  }
  size_t bytes() const { return bytes_; }
  // Fills it with these values, again and again: sent once, then doubled where they are.
  template <class T>
  void repeat(const std::vector<T>& values) {
    const size_t period = values.size() * sizeof(T);
    size_t filled = std::min(period, bytes_);
    memory_.to_device(get(), values.data(), filled);
    while (filled < bytes_) {
      const size_t more = std::min(filled, bytes_ - filled);
      memory_.copy(get<char>() + filled, get(), more);
      filled += more;
    }
  }

 private:
  // One random block of 64 K elements, repeated.
  void randomize(kernels::DType dtype) {
    constexpr int64_t period = 1 << 16;
    static const std::vector<float> values = [] {
      std::vector<float> v(period);
      for (int64_t i = 0; i < period; ++i)
        v[i] = kernels::uniform(kernels::philox(1, kernels::Stream::synthetic, 0, i)[0]) - 0.5f;
      return v;
    }();
    if (dtype == kernels::DType::f32)
      repeat(values);
    else
      repeat(std::vector<kernels::bf16>(values.begin(), values.end()));
  }

  const kernels::Memory& memory_;
  size_t bytes_;
  std::shared_ptr<void> block_;
};

}  // namespace eb::tools
