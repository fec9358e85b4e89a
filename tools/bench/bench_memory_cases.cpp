// `bench kernels`: what a step does to whole maps and arenas in one pass, and the weights of a convolution in
// the order that its kernel reads.
#include <fmt/format.h>

#include "kernels/reduce.h"
#include "kernels/tree_sum.h"
#include "tools/bench/bench_buffer.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;
using Direction = Conv2d::Direction;

namespace {

// Two maps of PreResNet101's first stage.
BenchCase add_case(Device device, DType dtype, int64_t n, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer a, b, y;
  };
  auto buffers =
      std::make_shared<Buffers>(Buffers{{device, n, dtype}, {device, n, dtype}, {device, n, dtype}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = 3.0 * static_cast<double>(buffers->y.bytes());
  const auto& kernel = kernels::elementwise(device);
  c.run = [&kernel, dtype, n, b = buffers] { kernel.add({dtype, n}, b->a.get(), b->b.get(), b->y.get()); };
  return c;
}

BenchCase reduce_case(Device device, int64_t n, bool finite, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer x, result, workspace;
  };
  const auto& kernel = kernels::reduce(device);
  auto b = std::make_shared<Buffers>(
      Buffers{{device, n, DType::f32}, {device, sizeof(double)}, {device, kernel.workspace_bytes(n)}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(b->x.bytes());
  c.run = [&kernel, n, finite, b] {
    if (finite)
      kernel.all_finite(n, b->x.get<float>(), b->result.get<int32_t>(), b->workspace.get());
    else
      kernel.sum_of_squares(n, b->x.get<float>(), b->result.get<double>(), b->workspace.get());
  };
  return c;
}

// What a rank adds of an arena of n floats: one slice of each rank's.
BenchCase slices_case(Device device, int ranks, int64_t n, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer x, y;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, n, DType::f32}, {device, n / ranks, DType::f32}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(b->x.bytes() + b->y.bytes());
  c.run = [&kernel = kernels::tree_sum(device), ranks, n, b] {
    kernel.slices(ranks, n / ranks, b->x.get<float>(), b->y.get<float>());
  };
  return c;
}

// Of two shards' gradients.
BenchCase merge_case(Device device, int64_t n, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer left, right;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, n, DType::f32}, {device, n, DType::f32}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = 3.0 * static_cast<double>(b->left.bytes());
  c.run = [&kernel = kernels::tree_sum(device), n, b] {
    kernel.merge(n, b->left.get<float>(), b->right.get<float>());
  };
  return c;
}

BenchCase pack_case(Device device, const Conv2d::Params& p, Direction d, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer w, packed, workspace;
  };
  const Conv2d& kernel = kernels::conv2d(device);
  auto b = std::make_shared<Buffers>(Buffers{{device, p.k * p.r * p.s * (p.c / p.groups), p.dtype},
                                             {device, kernel.packed_bytes(p, d)},
                                             {device, kernel.workspace_bytes(p, d)}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(b->w.bytes() + b->packed.bytes());
  c.run = [&kernel, p, d, b] { kernel.pack(p, d, b->w.get(), b->packed.get(), b->workspace.get()); };
  return c;
}

// Of the convolutions whose kernel wants another order; on a device without such kernels there are none.
void add_packs(const BenchCasesConfig& config, const char* network, int64_t batch,
               std::vector<LazyCase>& cases) {
  for (const NamedConv& conv : network_convs(network, 0, batch, config.dtype))
    for (const Direction d : {Direction::forward, Direction::backward_data}) {
      if (kernels::conv2d(config.device).packed_bytes(conv.p, d) == 0) continue;
      LazyCase lazy{"conv2d_pack",
                    fmt::format("{} {}", conv.name, d == Direction::forward ? "forward" : "backward_data"),
                    {}};
      lazy.make = [device = config.device, p = conv.p, d, named = lazy] {
        return pack_case(device, p, d, named);
      };
      cases.push_back(lazy);
    }
}

}  // namespace

void add_memory_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const int64_t map = config.batch_cifar * 32 * 32 * 64;
  LazyCase add{"elementwise_add", fmt::format("{} x {}", config.batch_cifar, 32 * 32 * 64), {}};
  add.make = [=, named = add] { return add_case(config.device, config.dtype, map, named); };
  cases.push_back(add);
  constexpr int64_t n = 14'720'000;  // VGG16's parameters
  for (const bool finite : {false, true}) {
    LazyCase lazy{finite ? "all_finite" : "sum_of_squares", fmt::format("{} parameters", n), {}};
    lazy.make = [=, named = lazy] { return reduce_case(config.device, n, finite, named); };
    cases.push_back(lazy);
  }
  for (const int ranks : {2, 8}) {
    LazyCase lazy{"tree_sum_slices", fmt::format("{} x {}", ranks, n / ranks), {}};
    lazy.make = [=, named = lazy] { return slices_case(config.device, ranks, n, named); };
    cases.push_back(lazy);
  }
  LazyCase merge{"tree_sum_merge", fmt::format("{} parameters", n), {}};
  merge.make = [=, named = merge] { return merge_case(config.device, n, named); };
  cases.push_back(merge);
  for (const char* network : {"vgg16", "preresnet101"}) add_packs(config, network, config.batch_cifar, cases);
  add_packs(config, "resnet18", config.batch_imagenet, cases);
}

}  // namespace eb::tools
