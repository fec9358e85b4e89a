// `bench kernels`: int8 convolutions with the blocks of the swalp8 preset (a sample, a filter), each beside
// the convolution of the same shape in the compute dtype.
#include <fmt/format.h>

#include "kernels/conv2d_int8.h"
#include "tools/bench/bench_blocks.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::Conv2d;
using kernels::Conv2dInt8;
using kernels::Device;
using kernels::DType;
using Direction = Conv2d::Direction;
using Path = Conv2dInt8::Path;

namespace {

// Largest magnitudes of activations and filters lie close together, those of errors do not.
constexpr int value_exponents = 2, error_exponents = 8;

struct Blocks {
  int64_t x, w, y;  // elements
};

// Backward-data has an integer path only where all filters share one exponent.
Blocks blocks_of(const Conv2d::Params& p, Direction d, Path path) {
  const int64_t filter = p.r * p.s * (p.c / p.groups);
  const bool whole = d == Direction::backward_data && path == Path::integer;
  return {p.h * p.w * p.c, whole ? p.k * filter : filter, p.out_h() * p.out_w() * p.k};
}

bool has_integer(Device device, const Conv2d::Params& p, Direction d) {
  const Blocks b = blocks_of(p, d, Path::integer);
  return kernels::conv2d_int8(device).has_integer(p, d, d == Direction::backward_data ? b.y : b.x,
                                                  d == Direction::backward_weight ? b.y : b.w);
}

struct Buffers {
  BlockBuffer x, w, dy;
  BenchBuffer result, largest, workspace;
};

size_t result_bytes(const Conv2d::Params& p, const Blocks& b, Direction d) {
  const size_t filters = p.k * p.r * p.s * (p.c / p.groups);
  if (d == Direction::backward_weight) return filters * sizeof(float);
  return (d == Direction::forward ? b.y : b.x) * p.n * kernels::size_of(p.dtype);
}

BenchCase int8_case(Device device, const NamedConv& conv, Direction d, Path path, const LazyCase& lazy) {
  const Conv2d::Params& p = conv.p;
  const BenchCase plain = own_conv_case(device, conv, d, "");
  const Conv2dInt8& kernel = kernels::conv2d_int8(device);
  const Blocks s = blocks_of(p, d, path);
  auto b =
      std::make_shared<Buffers>(Buffers{{device, p.n * s.x, s.x, value_exponents},
                                        {device, p.k * p.r * p.s * (p.c / p.groups), s.w, value_exponents},
                                        {device, p.n * s.y, s.y, error_exponents},
                                        {device, result_bytes(p, s, d)},
                                        {device, p.n * sizeof(uint32_t)},
                                        {device, std::max<size_t>(1, kernel.workspace_bytes(p, d, path))}});
  BenchCase c{lazy.family, lazy.name, plain.shape, plain.flops};
  const auto read = [&](const BlockBuffer& x) { return static_cast<double>(x.codes.bytes()); };
  c.bytes = (d == Direction::backward_data ? 0 : read(b->x)) +
            (d == Direction::backward_weight ? 0 : read(b->w)) + (d == Direction::forward ? 0 : read(b->dy)) +
            static_cast<double>(b->result.bytes());
  c.run = [&kernel, p, d, path, b] {
    if (d == Direction::forward)  // with the maxima of the samples, as training asks for them
      kernel.forward(p, path,
                     {.x = b->x.operand(),
                      .w = b->w.operand(),
                      .y = b->result.get(),
                      .largest = b->largest.get<uint32_t>(),
                      .workspace = b->workspace.get()});
    else if (d == Direction::backward_data)
      kernel.backward_data(p, path,
                           {.dy = b->dy.operand(),
                            .w = b->w.operand(),
                            .dx = b->result.get(),
                            .workspace = b->workspace.get()});
    else
      kernel.backward_weight(p, path,
                             {.x = b->x.operand(),
                              .dy = b->dy.operand(),
                              .dw = b->result.get<float>(),
                              .workspace = b->workspace.get()});
  };
  c.reference = plain.run;
  c.beside = kernels::name_of(p.dtype);
  return c;
}

}  // namespace

void add_int8_convs(const BenchCasesConfig& config, const NamedConv& conv, Direction d,
                    std::vector<LazyCase>& cases) {
  constexpr const char* families[] = {"conv2d_int8_forward", "conv2d_int8_backward_data",
                                      "conv2d_int8_backward_weight"};
  for (const Path path : {Path::integer, Path::exact}) {
    if (path == Path::integer && !has_integer(config.device, conv.p, d)) continue;
    const char* name = path == Path::integer ? "integer" : "exact";
    LazyCase lazy{fmt::format("{}_{}", families[static_cast<int>(d)], name), conv.name, {}};
    lazy.make = [=, device = config.device, named = lazy] { return int8_case(device, conv, d, path, named); };
    cases.push_back(lazy);
  }
}

}  // namespace eb::tools
