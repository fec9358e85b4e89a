#include "tools/bench/bench_cases.h"

#include <fmt/format.h>

#include <map>

#include "engine/model/model.h"
#include "kernels/library_error.h"
#include "kernels/reference.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "tools/bench/bench_buffer.h"

namespace eb::tools {

using namespace engine;
using kernels::Conv2d;
using Direction = Conv2d::Direction;

const std::vector<BenchNetwork>& bench_networks() {
  static const std::vector<BenchNetwork> all = {
      {"vgg16", "vgg", {.depth = 16}},
      {"vgg16_quarter", "vgg", {.depth = 16, .width = 0.25}, {0.0}},
      {"preresnet101", "preresnet", {.depth = 101}},
      {"resnet18", "resnet", {.depth = 18, .input = {3, 224, 224}, .num_classes = 1000}},
      {"resnet50", "resnet", {.depth = 50, .input = {3, 224, 224}, .num_classes = 1000}},
  };
  return all;
}

namespace {

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
    kernel.pack(p, d, b->w.get(), packed->get(), workspace->get());
    w = packed->get();
  }
  return [&kernel, p, d, b, workspace, packed, w] {
    if (d == Direction::forward)
      kernel.forward(p, {.x = b->x.get(), .w = w, .y = b->y.get(), .workspace = workspace->get()});
    else if (d == Direction::backward_data)
      kernel.backward_data(p, {.dy = b->y.get(), .w = w, .dx = b->x.get(), .workspace = workspace->get()});
    else
      kernel.backward_weight(
          p, {.x = b->x.get(), .dy = b->y.get(), .dw = b->dw.get<float>(), .workspace = workspace->get()});
  };
}

// Not cuDNN's newer graph API, which may know faster kernels: a ratio is to be read with that.
constexpr const char* cudnn_by_its_legacy_api = "cuDNN (legacy API)";

struct OwnConv {
  BenchCase c;
  std::shared_ptr<ConvBuffers> buffers;
};

OwnConv own_conv(Device device, const NamedConv& conv, Direction d, const char* family) {
  const Conv2d::Params& p = conv.p;
  auto buffers = std::make_shared<ConvBuffers>(device, p);
  BenchCase c{family, conv.name, describe(p)};
  const double outputs = static_cast<double>(p.n * p.out_h() * p.out_w() * p.k);
  c.flops = 2 * outputs * static_cast<double>(p.r * p.s * (p.c / p.groups));
  c.bytes = static_cast<double>(buffers->x.bytes() + buffers->y.bytes() +
                                (d == Direction::backward_weight ? buffers->dw.bytes() : buffers->w.bytes()));
  c.run = conv_call(kernels::conv2d(device), device, p, d, buffers);
  return {c, buffers};
}

}  // namespace

Graph network_graph(const std::string& name, double prune) {
  for (const BenchNetwork& n : bench_networks()) {
    if (name != n.name) continue;
    Graph graph = build_arch(n.arch, n.options);
    if (prune <= 0) return graph;
    const Model model(graph, DType::f32);  // no numbers needed: the ticket is random
    const auto closed = pruning::close_ticket(pruning::random_ticket(model.graph(), prune, 1), model, {});
    return pruning::compact_graph(model.graph(), closed.ticket);
  }
  throw std::logic_error("no network " + name);
}

void put_beside(BenchCase& c, const std::string& name, const std::function<std::function<void()>()>& make) {
  c.beside = name;
  try {
    const auto call = make();
    call();  // the library may refuse as late as here
    c.reference = call;
  } catch (const kernels::LibraryError& e) {
    c.refused = e.what();
  }
}

BenchCase own_conv_case(Device device, const NamedConv& conv, Direction d, const char* family) {
  return own_conv(device, conv, d, family).c;
}

BenchCase conv_case(Device device, const NamedConv& conv, Direction d, const char* family) {
  auto [c, buffers] = own_conv(device, conv, d, family);
  if (const Conv2d* reference = kernels::reference_conv2d(device))
    put_beside(c, cudnn_by_its_legacy_api,
               [&, b = buffers] { return conv_call(*reference, device, conv.p, d, b); });
  else if (device == Device::cuda)
    c.refused = kernels::cudnn_library().problem;
  return c;
}

void add_conv_case(const BenchCasesConfig& config, const NamedConv& conv, Direction d,
                   std::vector<LazyCase>& cases) {
  const char* family = d == Direction::forward         ? "conv2d_forward"
                       : d == Direction::backward_data ? "conv2d_backward_data"
                                                       : "conv2d_backward_weight";
  cases.push_back(
      {family, conv.name, [=, device = config.device] { return conv_case(device, conv, d, family); }});
}

namespace {

void add_conv(const BenchCasesConfig& config, const NamedConv& conv, std::vector<LazyCase>& cases) {
  for (const Direction d : directions) {
    if (d == Direction::backward_data && conv.p.c == 3) continue;  // images need no gradient
    add_conv_case(config, conv, d, cases);
    add_int8_convs(config, conv, d, cases);
  }
}

// Of few channels, as small networks have them and large ratios leave them: a tile of a kernel is wider.
void add_narrow_convs(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const std::pair<int64_t, int64_t> channels[] = {{8, 8}, {8, 16}, {16, 32}, {24, 24}, {32, 32}};
  for (const auto& [c, k] : channels)
    for (const int64_t r : {1, 3})
      add_conv(config,
               {fmt::format("narrow {}->{} {}x{}", c, k, r, r),
                {.dtype = config.dtype,
                 .n = config.batch_cifar,
                 .h = 32,
                 .w = 32,
                 .c = c,
                 .k = k,
                 .r = r,
                 .s = r,
                 .pad_h = r / 2,
                 .pad_w = r / 2}},
               cases);
}

void add_convs(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  for (const BenchNetwork& n : bench_networks())
    for (const double prune : n.prunes) {
      const int64_t batch = n.options.input[1] == 32 ? config.batch_cifar : config.batch_imagenet;
      for (const NamedConv& conv : network_convs(n.name, prune, batch, config.dtype))
        add_conv(config, conv, cases);
    }
  add_narrow_convs(config, cases);
}

}  // namespace

BenchCase matrix_product_case(Device device, DType dtype, int64_t n) {
  const Conv2d::Params p{.dtype = dtype, .n = n / 64, .h = 8, .w = 8, .c = n, .k = n, .r = 1, .s = 1};
  return conv_case(device, {"matrix product", p}, Direction::forward, "matrix_product");
}

std::vector<NamedConv> network_convs(const std::string& network, double prune, int64_t batch, DType dtype) {
  const Graph graph = network_graph(network, prune);
  std::vector<NamedConv> convs;
  std::map<std::string, size_t> seen;  // where in convs
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
    const auto [at, first] = seen.try_emplace(describe(p), convs.size());
    if (first)
      convs.push_back({fmt::format("{} p={} {}", network, prune, n.id), p});
    else
      ++convs[at->second].times;
  }
  return convs;
}

std::vector<LazyCase> bench_cases(const BenchCasesConfig& config) {
  std::vector<LazyCase> cases;
  add_convs(config, cases);
  add_grouped_convs(config, cases);
  add_batch_norm_cases(config, cases);
  add_layer_cases(config, cases);
  add_memory_cases(config, cases);
  add_pruning_cases(config, cases);
  add_quantize_cases(config, cases);
  return cases;
}

}  // namespace eb::tools
