// Time of every convolution case and of the layers of VGG16, PreResNet-101 and ResNet-18, by direction and
// dtype:
//   bench_ops --benchmark_filter='vgg16.*f32' --benchmark_repetitions=3
// The counter is operations per second, padding counted as if it were multiplied.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>

#include "kernels/conv2d_int8.h"
#include "support/conv_cases.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::DType;
using Direction = Conv2d::Direction;

constexpr int64_t cifar_batch = 128, imagenet_batch = 16;

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<void, Free>;

// Filled with a number that is small and normal in f32 and in bf16.
Buffer buffer(size_t bytes) {
  const size_t size = (bytes + 63) / 64 * 64;
  Buffer memory(std::aligned_alloc(64, size + 64));
  std::fill_n(static_cast<unsigned char*>(memory.get()), size, 0x3c);
  return memory;
}

void run(benchmark::State& state, const ConvCase& shape, Direction d) {
  const Conv2d& kernel = kernels::conv2d(kernels::Device::cpu);
  const Conv2d::Params& p = shape.p;
  const size_t size = kernels::size_of(p.dtype);
  const Buffer x = buffer(size * p.n * p.h * p.w * p.c), y = buffer(size * p.n * p.out_h() * p.out_w() * p.k);
  const Buffer w = buffer(4 * p.k * p.r * p.s * p.c), workspace = buffer(kernel.workspace_bytes(p, d));
  const Buffer packed = buffer(kernel.packed_bytes(p, d));
  if (kernel.packed_bytes(p, d)) kernel.pack(p, d, w.get(), packed.get());
  const void* weights = kernel.packed_bytes(p, d) ? packed.get() : w.get();
  for (auto _ : state) {
    if (d == Direction::forward)
      kernel.forward(p, {.x = x.get(), .w = weights, .y = y.get(), .workspace = workspace.get()});
    if (d == Direction::backward_data)
      kernel.backward_data(p, {.dy = y.get(), .w = weights, .dx = x.get(), .workspace = workspace.get()});
    if (d == Direction::backward_weight)
      kernel.backward_weight(
          p, {.x = x.get(), .dy = y.get(), .dw = static_cast<float*>(w.get()), .workspace = workspace.get()});
  }
  state.counters["ops"] = benchmark::Counter(shape.flops(), benchmark::Counter::kIsIterationInvariantRate,
                                             benchmark::Counter::kIs1000);
}

void pack(benchmark::State& state, const ConvCase& shape, Direction d) {
  const Conv2d& kernel = kernels::conv2d(kernels::Device::cpu);
  const Buffer w = buffer(4 * shape.p.k * shape.p.r * shape.p.s * shape.p.c);
  const Buffer packed = buffer(kernel.packed_bytes(shape.p, d));
  for (auto _ : state) kernel.pack(shape.p, d, w.get(), packed.get());
}

// 8-bit operands, a block for each sample or filter (backward-data: all weights), packing included; y is f32.
void run_int8(benchmark::State& state, const ConvCase& shape, Direction d, kernels::Conv2dInt8::Path path) {
  const kernels::Conv2dInt8& kernel = kernels::conv2d_int8(kernels::Device::cpu);
  const Conv2d::Params& p = shape.p;
  const int64_t x = p.h * p.w * p.c, y = p.out_h() * p.out_w() * p.k, w = p.k * p.r * p.s * p.c;
  const Buffer codes[] = {buffer(p.n * x), buffer(p.n * y), buffer(w)},
               out = buffer(4 * p.n * std::max(x, y)), dw = buffer(4 * w),
               workspace = buffer(kernel.workspace_bytes(p, d, path));
  std::vector<int16_t> exponents;
  for (int64_t i = 0; i < std::max(p.n, p.k); ++i) exponents.push_back(static_cast<int16_t>(i % 4));
  const auto operand = [&](int of, int64_t block) {
    return kernels::Conv2dInt8::Operand{static_cast<const int8_t*>(codes[of].get()), exponents.data(), block};
  };
  std::vector<uint32_t> largest(p.n);
  for (auto _ : state) {
    if (d == Direction::forward)
      kernel.forward(p, path,
                     {.x = operand(0, x),
                      .w = operand(2, w / p.k),
                      .y = out.get(),
                      .largest = largest.data(),
                      .workspace = workspace.get()});
    if (d == Direction::backward_data)
      kernel.backward_data(
          p, path, {.dy = operand(1, y), .w = operand(2, w), .dx = out.get(), .workspace = workspace.get()});
    if (d == Direction::backward_weight)
      kernel.backward_weight(p, path,
                             {.x = operand(0, x),
                              .dy = operand(1, y),
                              .dw = static_cast<float*>(dw.get()),
                              .workspace = workspace.get()});
  }
  state.counters["ops"] = benchmark::Counter(shape.flops(), benchmark::Counter::kIsIterationInvariantRate,
                                             benchmark::Counter::kIs1000);
}

constexpr std::pair<const char*, Direction> directions[] = {{"/forward", Direction::forward},
                                                            {"/backward_data", Direction::backward_data},
                                                            {"/backward_weight", Direction::backward_weight}};

void register_int8(const ConvCase& shape) {
  using Path = kernels::Conv2dInt8::Path;
  for (const Path path : {Path::exact, Path::integer})
    for (const auto& [name, d] : directions) {
      const std::string full =
          "conv2d/" + shape.name + (path == Path::exact ? "/int8_exact" : "/int8") + name;
      benchmark::RegisterBenchmark(full.c_str(),
                                   [=, d = d](benchmark::State& s) { run_int8(s, shape, d, path); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond)
          ->MinTime(0.2);
    }
}

void register_case(ConvCase shape) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    shape.p.dtype = dtype;
    for (const auto& [name, d] : directions) {
      const std::string full = "conv2d/" + shape.name + "/" + name_of(dtype) + name;
      const auto start = [&](const std::string& label, auto f) {
        benchmark::RegisterBenchmark(label.c_str(), [=](benchmark::State& s) { f(s, shape, d); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond)
            ->MinTime(0.2);
      };
      start(full, run);
      if (d != Direction::backward_weight) start(full + "_pack", pack);
    }
  }
}

const bool registered = [] {
  for (const auto& cases : {conv_cases(), vgg16_convs(cifar_batch), preresnet101_convs(cifar_batch),
                            resnet18_convs(imagenet_batch)})
    for (const ConvCase& shape : cases) register_case(shape);
  for (const auto& cases :
       {vgg16_convs(cifar_batch), vgg16_quarter_convs(cifar_batch), preresnet101_convs(cifar_batch)})
    for (const ConvCase& shape : cases) register_int8(shape);
  for (const ConvCase& shape : vgg16_quarter_convs(cifar_batch)) register_case(shape);
  return true;
}();

}  // namespace
}  // namespace eb::test
