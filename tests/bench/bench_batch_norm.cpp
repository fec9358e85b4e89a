// Batch norm: bytes per second over the passes an ideal implementation needs, to be read against the copy
// bandwidth of the same size (copy/...). Counted: forward 3 (read x twice, write y), infer 2, backward 5 (x
// and dy twice, dx once).
#include <benchmark/benchmark.h>

#include <memory>

#include "kernels/elementwise.h"
#include "kernels/quantize.h"
#include "support/oracle_batch_norm.h"

namespace eb::test {
namespace {

using kernels::Device;
using kernels::DType;

struct Layer {
  BatchNormCase shape;
  DType dtype;
  std::vector<int32_t> select = shape.select();
  int64_t n = shape.rows * shape.c_in;
  Values x{dtype, normal(n, 1)}, dy{dtype, normal(n, 2)}, y{dtype, n}, dx{dtype, n};
  Floats gamma = Floats(shape.c_in, 1.f), beta = Floats(shape.c_in), running_mean = beta, running_var = gamma;
  Floats mean = beta, rstd = gamma, dgamma = beta, dbeta = beta;
  kernels::BatchNorm::Params p{.dtype = dtype,
                               .rows = shape.rows,
                               .c_in = shape.c_in,
                               .c = shape.c(),
                               .relu = true,
                               .sample_rows = shape.rows % 128 ? shape.rows : shape.rows / 128};
  std::vector<uint32_t> maxima = std::vector<uint32_t>(p.rows / p.sample_rows);
  std::vector<int8_t> codes = std::vector<int8_t>(n);
  std::vector<int16_t> exponents = std::vector<int16_t>(maxima.size());
  const kernels::BatchNorm& kernel = kernels::batch_norm(Device::cpu);

  const int32_t* list() const { return select.empty() ? nullptr : select.data(); }
  void forward(uint32_t* largest = nullptr) {
    kernel.forward_train(p, {.x = x.data(),
                             .select = list(),
                             .gamma = gamma.data(),
                             .beta = beta.data(),
                             .y = y.data(),
                             .mean = mean.data(),
                             .rstd = rstd.data(),
                             .running_mean = running_mean.data(),
                             .running_var = running_var.data(),
                             .largest = largest});
  }
  void infer(uint32_t* largest = nullptr) {
    kernel.forward_infer(p, {.x = x.data(),
                             .select = list(),
                             .gamma = gamma.data(),
                             .beta = beta.data(),
                             .running_mean = running_mean.data(),
                             .running_var = running_var.data(),
                             .y = y.data(),
                             .largest = largest});
  }
  void backward() {
    kernel.backward(p, {.x = x.data(),
                        .select = list(),
                        .gamma = gamma.data(),
                        .beta = beta.data(),
                        .mean = mean.data(),
                        .rstd = rstd.data(),
                        .dy = dy.data(),
                        .dx = dx.data(),
                        .dgamma = dgamma.data(),
                        .dbeta = dbeta.data()});
  }
  void forward_largest() { forward(maxima.data()); }
  void infer_largest() { infer(maxima.data()); }
  void quantize(const uint32_t* largest) {
    const kernels::Quantize::Params q{
        .dtype = dtype, .blocks = std::ssize(maxima), .block = p.sample_rows * p.c};
    kernels::quantize(Device::cpu)
        .quantize(q,
                  {.x = y.data(), .largest = largest, .codes = codes.data(), .exponents = exponents.data()});
  }
  void quantize_plain() { forward(), quantize(nullptr); }
  void quantize_largest() { forward(maxima.data()), quantize(maxima.data()); }
  void forward_plain() { forward(); }
  void infer_plain() { infer(); }
  void copy() { kernels::elementwise(Device::cpu).relu_forward({dtype, n}, x.data(), y.data()); }
};

// Layers of PreResNet (batch 128) and ResNet-50 (batch 32), a pruned odd width, and a selection of half.
std::vector<BatchNormCase> layers() {
  return {{"128x32x32x16", 131072, 16},  {"128x32x32x64", 131072, 64},
          {"128x16x16x128", 32768, 128}, {"128x8x8x256", 8192, 256},
          {"128x32x32x49", 131072, 49},  {"128x32x32x64_half", 131072, 64, true, false, 2},
          {"128x2x2x512", 512, 512},     {"32x56x56x256", 100352, 256}};
}

void bench(benchmark::State& state, const BatchNormCase& shape, DType dtype, void (Layer::*run)(),
           int passes) {
  auto layer = std::make_unique<Layer>(Layer{shape, dtype});
  layer->forward();
  for (auto _ : state) (layer.get()->*run)();
  state.SetBytesProcessed(state.iterations() * passes * layer->n *
                          static_cast<int64_t>(kernels::size_of(dtype)));
}

struct Entry {
  const char* name;
  void (Layer::*run)();
  int passes;
};

const bool registered = [] {
  auto shapes = layers();
  for (const BatchNormCase& shape : batch_norm_cases()) shapes.push_back(shape);
  for (const BatchNormCase& shape : shapes) {
    for (DType dtype : {DType::f32, DType::bf16}) {
      for (const Entry& e : {Entry{"copy", &Layer::copy, 2}, Entry{"forward_train", &Layer::forward_plain, 3},
                             Entry{"forward_train_largest", &Layer::forward_largest, 3},
                             Entry{"forward_infer", &Layer::infer_plain, 2},
                             Entry{"forward_infer_largest", &Layer::infer_largest, 2},
                             Entry{"forward_train_quantize", &Layer::quantize_plain, 5},
                             Entry{"forward_train_largest_quantize", &Layer::quantize_largest, 4},
                             Entry{"backward", &Layer::backward, 5}}) {
        const auto name =
            std::string("batch_norm/") + shape.name + "/" + kernels::name_of(dtype) + "/" + e.name;
        benchmark::RegisterBenchmark(name.c_str(), bench, shape, dtype, e.run, e.passes)
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace eb::test
