// `bench kernels`: numbers to block floating point and back, activations of VGG16 and its parameters.
#include <fmt/format.h>

#include <bit>

#include "engine/bfp/block_arena.h"
#include "engine/model/model.h"
#include "tools/bench/bench_blocks.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using namespace engine;

namespace {

struct Activations {
  int64_t samples, sample;
  DType dtype;
  bool by_sample;

  Quantize::Params params(Quantize::Rounding rounding) const {
    return {dtype, by_sample ? samples : 1, by_sample ? sample : samples * sample, 8, rounding, 1, 1};
  }
  std::string name() const {
    return fmt::format("{} x {} {} by {}", samples, sample, kernels::name_of(dtype),
                       by_sample ? "sample" : "tensor");
  }
};

struct How {
  const char* name;
  Quantize::Rounding rounding;
  bool known = false;    // the maxima of the blocks
  bool counted = false;  // what is clamped and what is lost to zero
};

// With the maxima of the blocks known, x is read once; so is a sample, whose second read comes from a cache.
BenchCase quantize_case(Device device, const Activations& a, const How& how, const LazyCase& lazy) {
  const Quantize::Params p = a.params(how.rounding);
  struct Buffers {
    BenchBuffer x, codes, exponents, largest, counts, workspace;
  };
  const auto& kernel = kernels::quantize(device);
  const auto blocks = static_cast<size_t>(p.blocks);
  auto b = std::make_shared<Buffers>(Buffers{{device, a.samples * a.sample, a.dtype},
                                             {device, static_cast<size_t>(a.samples * a.sample)},
                                             {device, blocks * sizeof(int16_t)},
                                             {device, blocks * sizeof(uint32_t)},
                                             {device, sizeof(Quantize::Counts)},
                                             {device, kernel.workspace_bytes(p)}});
  b->largest.repeat(std::vector(1, std::bit_cast<uint32_t>(0.499f)));  // of what BenchBuffer draws
  const int reads = a.by_sample || how.known ? 1 : 2;
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(reads * b->x.bytes() + b->codes.bytes());
  c.run = [&kernel, p, b, how] {
    kernel.quantize(p, {.x = b->x.get(),
                        .largest = how.known ? b->largest.get<uint32_t>() : nullptr,
                        .codes = b->codes.get<int8_t>(),
                        .exponents = b->exponents.get<int16_t>(),
                        .counts = how.counted ? b->counts.get<Quantize::Counts>() : nullptr,
                        .workspace = b->workspace.get()});
  };
  return c;
}

BenchCase dequantize_case(Device device, const Activations& a, const LazyCase& lazy) {
  const Quantize::Params p = a.params(Quantize::Rounding::nearest);
  struct Buffers {
    BlockBuffer x;
    BenchBuffer y;
  };
  const int64_t size = a.samples * a.sample;
  auto b = std::make_shared<Buffers>(Buffers{{device, size, p.block, 2}, {device, size, a.dtype}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(b->x.codes.bytes() + b->y.bytes());
  const auto& kernel = kernels::quantize(device);
  c.run = [&kernel, p, b] {
    kernel.dequantize(p, b->x.codes.get<int8_t>(), b->x.exponents.get<int16_t>(), b->y.get());
  };
  return c;
}

void add_activations(const BenchCasesConfig& config, const Activations& a, std::vector<LazyCase>& cases) {
  using Rounding = Quantize::Rounding;
  for (const How& how :
       {How{"nearest", Rounding::nearest}, How{"nearest, max known", Rounding::nearest, true},
        How{"nearest, counted", Rounding::nearest, false, true}, How{"stochastic", Rounding::stochastic},
        How{"stochastic, max known", Rounding::stochastic, true}}) {
    LazyCase lazy{"quantize", fmt::format("{}, {}", a.name(), how.name), {}};
    lazy.make = [=, device = config.device, named = lazy] { return quantize_case(device, a, how, named); };
    cases.push_back(lazy);
  }
  LazyCase back{"dequantize", a.name(), {}};
  back.make = [=, device = config.device, named = back] { return dequantize_case(device, a, named); };
  cases.push_back(back);
}

// In place, as around an update; values leave their codes too.
BenchCase round_case(Device device, Quantize::Rounding rounding, bool with_codes, const LazyCase& lazy) {
  auto model = std::make_shared<Model>(build_arch("vgg", {.depth = 16}), DType::f32, device);
  initialize(*model, {}, 1);
  model->set_precision({.quantized = true});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(model->parameter_count()) * (with_codes ? 9 : 8);
  c.run = [model, rounding, with_codes] {
    const BlockModel& b = *model->blocks();
    auto* w = model->values().data<float>();
    b.values.round(rounding, 1, {.x = w, .y = w, .codes = with_codes ? b.codes.data<int8_t>() : nullptr});
  };
  return c;
}

}  // namespace

void add_quantize_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  for (const int64_t sample : {32 * 32 * 64, 4 * 4 * 512})  // VGG16's largest and smaller maps
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const bool by_sample : {true, false})
        add_activations(config, {config.batch_cifar, sample, dtype, by_sample}, cases);
  using Rounding = Quantize::Rounding;
  for (const Rounding rounding : {Rounding::nearest, Rounding::stochastic})
    for (const bool with_codes : {true, false}) {
      LazyCase lazy{"round_blocks",
                    fmt::format("vgg16 {}, {}", with_codes ? "values and their codes" : "gradients",
                                rounding == Rounding::nearest ? "nearest" : "stochastic"),
                    {}};
      lazy.make = [=, device = config.device, named = lazy] {
        return round_case(device, rounding, with_codes, named);
      };
      cases.push_back(lazy);
    }
}

}  // namespace eb::tools
