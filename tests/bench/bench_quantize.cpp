// Quantising and back beside copies of the same memory. Bytes: two reads of x and a code for quantise (a
// block that fits the cache is read once), a code and y for dequantise, a read and a write for copies.
#include <benchmark/benchmark.h>

#include <bit>
#include <cstring>

#include "kernels/quantize.h"
#include "kernels/round_blocks.h"
#include "support/values.h"

namespace eb::test {
namespace {

using kernels::Device;
using kernels::DType;
using kernels::Quantize;
using Rounding = Quantize::Rounding;

// A batch's activations with a block a sample (its second read comes from the cache), or one for all.
constexpr int64_t n = 128 * 32 * 32 * 64;
constexpr int64_t samples[] = {128, 1};

Floats numbers(int64_t count) {
  Floats x(count);
  for (int64_t i = 0; i < count; ++i) x[i] = static_cast<float>(i * 2654435761 % 65536) - 32768;
  return x;
}

Quantize::Params params(int64_t blocks, Rounding rounding) {
  Quantize::Params p{.blocks = blocks, .block = n / blocks, .rounding = rounding};
  p.seed = 7;
  return p;
}

void copy(benchmark::State& state) {
  const Floats x = numbers(n);
  Floats y(n);
  const int64_t piece = n / 512;
  for (auto _ : state) {
#pragma omp parallel for
    for (int64_t i = 0; i < 512; ++i) std::memcpy(&y[i * piece], &x[i * piece], piece * sizeof(float));
  }
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * 8);
}
BENCHMARK(copy)->UseRealTime()->Unit(benchmark::kMicrosecond);

void quantize(benchmark::State& state, Rounding rounding, bool counted, bool known = false) {
  const auto p = params(samples[state.range(0)], rounding);
  const Floats x = numbers(n);
  std::vector<int8_t> codes(n);
  std::vector<int16_t> exponents(p.blocks);
  const std::vector<uint32_t> largest(p.blocks, std::bit_cast<uint32_t>(32768.f));
  Quantize::Counts counts;
  for (auto _ : state)
    kernels::quantize(Device::cpu)
        .quantize(p, {.x = x.data(),
                      .largest = known ? largest.data() : nullptr,
                      .codes = codes.data(),
                      .exponents = exponents.data(),
                      .counts = counted ? &counts : nullptr});
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * (2 * 4 + 1));
}
BENCHMARK_CAPTURE(quantize, nearest, Rounding::nearest, false)
    ->DenseRange(0, 1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(quantize, nearest_counted, Rounding::nearest, true)
    ->DenseRange(0, 1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(quantize, nearest_known, Rounding::nearest, false, true)
    ->DenseRange(0, 1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(quantize, stochastic_known, Rounding::stochastic, false, true)
    ->DenseRange(0, 1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(quantize, stochastic, Rounding::stochastic, false)
    ->DenseRange(0, 1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void dequantize(benchmark::State& state) {
  const auto p = params(samples[state.range(0)], Rounding::nearest);
  const std::vector<int8_t> codes(n, 100);
  const std::vector<int16_t> exponents(p.blocks, 3);
  Floats y(n);
  for (auto _ : state) kernels::quantize(Device::cpu).dequantize(p, codes.data(), exponents.data(), y.data());
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * (1 + 4));
}
BENCHMARK(dequantize)->DenseRange(0, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);

// A network's arena in place: filters of 576 weights.
void round_blocks(benchmark::State& state) {
  const int64_t filters = 2048, block = 576;
  const std::vector<kernels::RoundBlocks::Segment> segments{{0, filters, block, 0, 1}};
  Floats x = numbers(filters * block);
  std::vector<int16_t> exponents(filters);
  const kernels::RoundBlocks::Params p{.rounding = state.range(0) ? Rounding::stochastic : Rounding::nearest};
  for (auto _ : state)
    kernels::round_blocks(Device::cpu)
        .round(p, {.segments = segments.data(),
                   .n_segments = 1,
                   .x = x.data(),
                   .y = x.data(),
                   .exponents = exponents.data()});
  state.SetItemsProcessed(state.iterations() * filters * block);
}
BENCHMARK(round_blocks)->DenseRange(0, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace eb::test
