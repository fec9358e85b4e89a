#include "tools/bench_cases.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "engine/arch/arch.h"
#include "engine/model.h"
#include "kernels/batch_norm.h"
#include "kernels/image.h"
#include "kernels/reference.h"
#include "kernels/sgd.h"
#include "kernels/topk_mask.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "tools/bench_buffer.h"

namespace eb::tools {

using namespace engine;
using kernels::Conv2d;
using Direction = Conv2d::Direction;

namespace {

struct Network {
  const char* name;
  const char* arch;
  ArchOptions options;
};

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {"vgg16", "vgg", {.depth = 16}},
      {"preresnet101", "preresnet", {.depth = 101}},
      {"resnet18", "resnet", {.depth = 18, .input = {3, 224, 224}, .num_classes = 1000}},
      {"resnet50", "resnet", {.depth = 50, .input = {3, 224, 224}, .num_classes = 1000}},
  };
  return all;
}

Graph network_graph(const std::string& name, double prune) {
  for (const Network& n : networks()) {
    if (name != n.name) continue;
    Graph graph = build_arch(n.arch, n.options);
    if (prune <= 0) return graph;
    Model model(graph, DType::f32);
    initialize(model, {}, 1);
    const auto closed = pruning::close_ticket(pruning::random_ticket(model.graph(), prune, 1), model, {});
    return pruning::compact(model, closed.ticket, pruning::MomentumRule::reset).graph();
  }
  throw std::logic_error("no network " + name);
}

std::string describe(const Conv2d::Params& p) {
  return fmt::format("n{} {}x{} {}->{} {}x{} s{}{}", p.n, p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h,
                     p.groups > 1 ? fmt::format(" g{}", p.groups) : "");
}

struct ConvBuffers {
  ConvBuffers(Device d, const Conv2d::Params& p)
      : x(d, p.n * p.h * p.w * p.c, p.dtype),
        w(d, weights(p), p.dtype),
        y(d, p.n * p.out_h() * p.out_w() * p.k, p.dtype),
        dw(d, weights(p), DType::f32) {}
  static int64_t weights(const Conv2d::Params& p) { return p.k * p.r * p.s * (p.c / p.groups); }
  BenchBuffer x, w, y, dw;
};

// Runs one direction of a convolution backend on the buffers.
std::function<void()> conv_call(const Conv2d& kernel, Device device, const Conv2d::Params& p, Direction d,
                                std::shared_ptr<ConvBuffers> b) {
  auto workspace = std::make_shared<BenchBuffer>(device, kernel.workspace_bytes(p, d));
  auto packed = std::make_shared<BenchBuffer>(device, kernel.packed_bytes(p, d));
  const void* w = b->w.get();
  if (packed->bytes()) {
    kernel.pack(p, d, b->w.get(), packed->get());
    w = packed->get();
  }
  return [&kernel, p, d, b, workspace, packed, w] {
    if (d == Direction::forward)
      kernel.forward(p, b->x.get(), w, nullptr, b->y.get(), workspace->get());
    else if (d == Direction::backward_data)
      kernel.backward_data(p, b->y.get(), w, b->x.get(), workspace->get());
    else
      kernel.backward_weight(p, b->x.get(), b->y.get(), b->dw.get<float>(), nullptr, workspace->get());
  };
}

BenchCase conv_case(Device device, const NamedConv& conv, Direction d, const char* family) {
  const Conv2d::Params& p = conv.p;
  auto buffers = std::make_shared<ConvBuffers>(device, p);
  BenchCase c{family, conv.name, describe(p)};
  const double outputs = static_cast<double>(p.n * p.out_h() * p.out_w() * p.k);
  c.flops = 2 * outputs * static_cast<double>(p.r * p.s * (p.c / p.groups));
  c.bytes = static_cast<double>(buffers->x.bytes() + buffers->y.bytes() +
                                (d == Direction::backward_weight ? buffers->dw.bytes() : buffers->w.bytes()));
  c.run = conv_call(kernels::conv2d(device), device, p, d, buffers);
  if (const Conv2d* reference = kernels::reference_conv2d(device))
    c.reference = conv_call(*reference, device, p, d, buffers);
  return c;
}

void add_convs(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  constexpr std::pair<Direction, const char*> directions[] = {
      {Direction::forward, "conv2d_forward"},
      {Direction::backward_data, "conv2d_backward_data"},
      {Direction::backward_weight, "conv2d_backward_weight"}};
  for (const Network& n : networks())
    for (const double prune : {0.0, 0.3, 0.5, 0.7}) {
      const int64_t batch = n.options.input[1] == 32 ? config.batch_cifar : config.batch_imagenet;
      for (const NamedConv& conv : network_convs(n.name, prune, batch, config.dtype))
        for (const auto& [d, family] : directions) {
          if (d == Direction::backward_data && conv.p.c == 3) continue;  // images need no gradient
          cases.push_back({family, conv.name, [=, device = config.device, d = d, family = family] {
                             return conv_case(device, conv, d, family);
                           }});
        }
    }
}

BenchCase batch_norm_case(Device device, DType dtype, int64_t rows, int64_t c, bool backward) {
  const kernels::BatchNorm::Params p{.dtype = dtype, .rows = rows, .c_in = c, .c = c, .relu = true};
  struct Buffers {
    BenchBuffer x, y, dy, gamma, beta, mean, rstd, running_mean, running_var, dgamma, dbeta;
  };
  const auto vector = [&] { return BenchBuffer(device, c, DType::f32); };
  const auto map = [&] { return BenchBuffer(device, rows * c, dtype); };
  auto b = std::make_shared<Buffers>(Buffers{map(), map(), map(), vector(), vector(), vector(), vector(),
                                             vector(), vector(), vector(), vector()});
  BenchCase k{backward ? "batch_norm_backward" : "batch_norm_forward", fmt::format("{} x {}", rows, c), ""};
  // Forward reads x twice and writes y; backward reads x and dy twice and writes dx.
  k.bytes = static_cast<double>(b->x.bytes()) * (backward ? 5 : 3);
  const auto& kernel = kernels::batch_norm(device);
  k.run = [&kernel, p, b, backward] {
    if (backward)
      kernel.backward(p, b->x.get(), nullptr, b->gamma.get<float>(), b->beta.get<float>(),
                      b->mean.get<float>(), b->rstd.get<float>(), nullptr, b->dy.get(), b->y.get(), nullptr,
                      b->dgamma.get<float>(), b->dbeta.get<float>());
    else
      kernel.forward_train(p, b->x.get(), nullptr, b->gamma.get<float>(), b->beta.get<float>(), nullptr,
                           b->y.get(), b->mean.get<float>(), b->rstd.get<float>(),
                           b->running_mean.get<float>(), b->running_var.get<float>());
  };
  return k;
}

void add_batch_norms(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  // The largest maps of VGG16, PreResNet101 and ResNet-50, an odd count, and a small deep one.
  const std::pair<int64_t, int64_t> shapes[] = {{config.batch_cifar * 1024, 64},
                                                {config.batch_cifar * 1024, 16},
                                                {config.batch_imagenet * 3136, 256},
                                                {config.batch_cifar * 256, 113},
                                                {config.batch_cifar * 4, 512}};
  for (const auto& [rows, c] : shapes)
    for (const bool backward : {false, true})
      cases.push_back({backward ? "batch_norm_backward" : "batch_norm_forward",
                       fmt::format("{} x {}", rows, c),
                       [=, rows = rows, c = c, device = config.device, dtype = config.dtype] {
                         return batch_norm_case(device, dtype, rows, c, backward);
                       }});
}

BenchCase sgd_case(Device device, int64_t n) {
  struct Buffers {
    BenchBuffer grad, momentum, master, working, control;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, n, DType::f32},
                                             {device, n, DType::f32},
                                             {device, n, DType::f32},
                                             {device, n, DType::bf16},
                                             {device, sizeof(kernels::Sgd::Control)}});
  const kernels::Sgd::Control control{.lr = 1e-6f};
  kernels::memory(device).to_device(b->control.get(), &control, sizeof control);
  BenchCase c{"sgd", fmt::format("{} parameters", n), ""};
  c.bytes = 22.0 * static_cast<double>(n);  // reads gradient, momentum, master; writes two and the bf16 copy
  const auto& kernel = kernels::sgd(device);
  c.run = [&kernel, b, n] {
    const kernels::Sgd::Segment all{0, n, 1e-4f, 0.f};
    kernel.step({}, &all, 1, b->control.get<kernels::Sgd::Control>(), b->grad.get<float>(),
                b->momentum.get<float>(), b->master.get<float>(), b->working.get<kernels::bf16>());
  };
  return c;
}

BenchCase image_case(Device device, DType dtype, int64_t n) {
  kernels::Image::Params p{
      .dtype = dtype, .n = n, .h = 32, .w = 32, .c = 3, .out_h = 32, .out_w = 32, .pad = 4};
  p.random_crop = p.random_flip = true;
  struct Buffers {
    BenchBuffer x, ids, y;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, static_cast<size_t>(n * 3072)},
                                             {device, static_cast<size_t>(n) * sizeof(int64_t)},
                                             {device, n * 3072, dtype}});
  BenchCase c{"augmentation", fmt::format("{} images 32x32x3", n), ""};
  c.bytes = static_cast<double>(b->x.bytes() + b->y.bytes());
  const auto& kernel = kernels::image(device);
  c.run = [&kernel, p, b] {
    kernel.crop_flip_normalize(p, b->x.get<uint8_t>(), nullptr, b->ids.get<int64_t>(), b->y.get());
  };
  return c;
}

}  // namespace

BenchCase matrix_product_case(Device device, DType dtype, int64_t n) {
  const Conv2d::Params p{.dtype = dtype, .n = n / 64, .h = 8, .w = 8, .c = n, .k = n, .r = 1, .s = 1};
  return conv_case(device, {"matrix product", p}, Direction::forward, "matrix_product");
}

std::vector<NamedConv> network_convs(const std::string& network, double prune, int64_t batch, DType dtype) {
  const Graph graph = network_graph(network, prune);
  std::vector<NamedConv> convs;
  std::set<std::string> seen;
  for (const Node& n : graph.nodes) {
    if (n.op != Op::conv) continue;
    const Node& in = graph.nodes[n.in[0]];
    const Conv2d::Params p{.dtype = dtype,
                           .n = batch,
                           .h = in.h,
                           .w = in.w,
                           .c = in.c,
                           .k = n.out_channels,
                           .r = n.kernel[0],
                           .s = n.kernel[1],
                           .stride_h = n.stride[0],
                           .stride_w = n.stride[1],
                           .pad_h = n.pad[0],
                           .pad_w = n.pad[1],
                           .groups = n.groups};
    if (seen.insert(describe(p)).second)
      convs.push_back({fmt::format("{} p={} {}", network, prune, n.id), p});
  }
  return convs;
}

std::vector<LazyCase> bench_cases(const BenchCasesConfig& config) {
  std::vector<LazyCase> cases;
  add_convs(config, cases);
  add_batch_norms(config, cases);
  for (const int64_t n : {int64_t{1'040'000}, int64_t{14'720'000}, int64_t{25'500'000}})
    cases.push_back({"sgd", fmt::format("{} parameters", n), [=] { return sgd_case(config.device, n); }});
  cases.push_back({"augmentation", fmt::format("{} images 32x32x3", config.batch_cifar),
                   [=] { return image_case(config.device, config.dtype, config.batch_cifar); }});
  return cases;
}

}  // namespace eb::tools
