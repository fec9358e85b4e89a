// `bench kernels` apart from convolutions: what is bound by bytes, and the classifiers.
#include <fmt/format.h>

#include "kernels/image.h"
#include "kernels/pool2d.h"
#include "kernels/reference.h"
#include "kernels/sgd.h"
#include "kernels/softmax_cross_entropy.h"
#include "tools/bench/bench_buffer.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::Device;
using kernels::DType;
using kernels::Linear;
using kernels::Pool2d;

namespace {

BenchCase sgd_case(Device device, int64_t n, bool with_copy, const LazyCase& lazy) {
  struct Buffers {
    BenchBuffer grad, momentum, master, working, control;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, n, DType::f32},
                                             {device, n, DType::f32},
                                             {device, n, DType::f32},
                                             {device, with_copy ? n : 0, DType::bf16},
                                             {device, sizeof(kernels::Sgd::Control)}});
  const kernels::Sgd::Control control{.lr = 1e-6f};
  kernels::memory(device).to_device(b->control.get(), &control, sizeof control);
  BenchCase c{lazy.family, lazy.name, ""};
  // Reads gradient, momentum, master; writes two and the bf16 copy.
  c.bytes = (with_copy ? 22.0 : 20.0) * static_cast<double>(n);
  const auto& kernel = kernels::sgd(device);
  c.run = [&kernel, b, n, with_copy] {
    const kernels::Sgd::Segment all{0, n, 1e-4f, 0.f};
    kernel.step({}, {.segments = &all,
                     .n_segments = 1,
                     .control = b->control.get<kernels::Sgd::Control>(),
                     .grad = b->grad.get<float>(),
                     .momentum = b->momentum.get<float>(),
                     .master = b->master.get<float>(),
                     .working = with_copy ? b->working.get<kernels::bf16>() : nullptr});
  };
  return c;
}

void add_updates(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  for (const int64_t n : {int64_t{1'040'000}, int64_t{14'720'000}, int64_t{25'500'000}})
    for (const bool with_copy : {true, false}) {
      LazyCase lazy{"sgd", fmt::format("{} parameters{}", n, with_copy ? "" : ", no bf16 copy"), {}};
      lazy.make = [=, device = config.device, named = lazy] { return sgd_case(device, n, with_copy, named); };
      cases.push_back(lazy);
    }
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

struct LinearBuffers {
  LinearBuffers(Device d, const Linear::Params& p)
      : x(d, p.n * p.in, p.dtype),
        w(d, p.out * p.in, p.dtype),
        y(d, p.n * p.out, p.dtype),
        b(d, p.out, DType::f32),
        dw(d, p.out * p.in, DType::f32),
        db(d, p.out, DType::f32) {}
  BenchBuffer x, w, y, b, dw, db;
};

using LinearPass = Linear::Direction;
constexpr const char* pass_names[] = {"forward", "backward_data", "backward_weight"};

std::function<void()> linear_call(const Linear& k, Device device, const Linear::Params& p, LinearPass d,
                                  std::shared_ptr<LinearBuffers> b) {
  auto workspace = std::make_shared<BenchBuffer>(device, k.workspace_bytes(p, d));
  return [&k, p, d, b, workspace] {
    if (d == LinearPass::forward)
      k.forward(p, {.x = b->x.get(),
                    .w = b->w.get(),
                    .b = b->b.get<float>(),
                    .y = b->y.get(),
                    .workspace = workspace->get()});
    else if (d == LinearPass::backward_data)
      k.backward_data(p,
                      {.dy = b->y.get(), .w = b->w.get(), .dx = b->x.get(), .workspace = workspace->get()});
    else
      k.backward_weight(p, {.x = b->x.get(),
                            .dy = b->y.get(),
                            .dw = b->dw.get<float>(),
                            .db = b->db.get<float>(),
                            .workspace = workspace->get()});
  };
}

BenchCase linear_case(Device device, const Linear::Params& p, LinearPass d, const LazyCase& lazy) {
  auto b = std::make_shared<LinearBuffers>(device, p);
  BenchCase c{lazy.family, lazy.name, ""};
  c.flops = 2 * static_cast<double>(p.n * p.in) * static_cast<double>(p.out);
  c.bytes = static_cast<double>(b->x.bytes() + b->y.bytes() +
                                (d == LinearPass::backward_weight ? b->dw.bytes() : b->w.bytes()));
  c.run = linear_call(kernels::linear(device), device, p, d, b);
  if (const Linear* reference = kernels::reference_linear(device))
    put_beside(c, "cuBLAS", [&] { return linear_call(*reference, device, p, d, b); });
  else if (device == Device::cuda)
    c.refused = kernels::cublas_library().problem;
  return c;
}

// The classifiers of VGG16, PreResNet101, ResNet-18 and ResNet-50, one with an odd count as a ticket leaves
// it, and a square one that is bound by arithmetic.
void add_linears(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const int64_t shapes[][3] = {{config.batch_cifar, 512, 10},       {config.batch_cifar, 256, 10},
                               {config.batch_cifar, 157, 10},       {config.batch_imagenet, 512, 1000},
                               {config.batch_imagenet, 2048, 1000}, {config.batch_cifar, 4096, 4096}};
  for (const auto& s : shapes)
    for (const LinearPass d : {LinearPass::forward, LinearPass::backward_data, LinearPass::backward_weight}) {
      const Linear::Params p{.dtype = config.dtype, .n = s[0], .in = s[1], .out = s[2]};
      LazyCase lazy{fmt::format("linear_{}", pass_names[static_cast<int>(d)]),
                    fmt::format("n{} {}->{}", p.n, p.in, p.out),
                    {}};
      lazy.make = [=, device = config.device, family = lazy] { return linear_case(device, p, d, family); };
      cases.push_back(lazy);
    }
}

BenchCase loss_case(Device device, int64_t n, int64_t classes) {
  const auto& kernel = kernels::softmax_cross_entropy(device);
  const kernels::SoftmaxCrossEntropy::Params p{.n = n, .classes = classes};
  struct Buffers {
    BenchBuffer logits, dlogits, labels, loss, top1, top5, workspace;
  };
  auto b = std::make_shared<Buffers>(Buffers{{device, n * classes, DType::f32},
                                             {device, n * classes, DType::f32},
                                             {device, static_cast<size_t>(n) * sizeof(int32_t)},
                                             {device, sizeof(float)},
                                             {device, sizeof(int32_t)},
                                             {device, sizeof(int32_t)},
                                             {device, kernel.workspace_bytes(p)}});
  BenchCase c{"softmax_cross_entropy", fmt::format("{} x {}", n, classes), ""};
  c.bytes = static_cast<double>(b->logits.bytes() + b->dlogits.bytes());
  c.run = [&kernel, p, b] {
    kernel.forward_backward(p, {.logits = b->logits.get(),
                                .labels = b->labels.get<int32_t>(),
                                .loss = b->loss.get<float>(),
                                .top1 = b->top1.get<int32_t>(),
                                .top5 = b->top5.get<int32_t>(),
                                .dlogits = b->dlogits.get(),
                                .workspace = b->workspace.get()});
  };
  return c;
}

BenchCase pool_case(Device device, const Pool2d::Params& p, bool max, bool backward, const LazyCase& lazy) {
  const int64_t inputs = p.n * p.h * p.w * p.c, outputs = p.n * p.out_h() * p.out_w() * p.c;
  struct Buffers {
    BenchBuffer x, y, index;
  };
  auto b = std::make_shared<Buffers>(
      Buffers{{device, inputs, p.dtype}, {device, outputs, p.dtype}, {device, static_cast<size_t>(outputs)}});
  BenchCase c{lazy.family, lazy.name, ""};
  c.bytes = static_cast<double>(b->x.bytes() + b->y.bytes() + (max ? b->index.bytes() : 0));
  const Pool2d& k = kernels::pool2d(device);
  c.run = [&k, p, max, backward, b] {
    if (max && backward)
      k.max_backward(p, b->index.get<uint8_t>(), b->y.get(), b->x.get());
    else if (max)
      k.max_forward(p, b->x.get(), b->y.get(), b->index.get<uint8_t>());
    else if (backward)
      k.avg_backward(p, b->y.get(), b->x.get());
    else
      k.avg_forward(p, b->x.get(), b->y.get());
  };
  if (max && backward) k.max_forward(p, b->x.get(), b->y.get(), b->index.get<uint8_t>());  // a valid index
  return c;
}

// VGG16's first pool, ResNet's stem, and the global pools of PreResNet101 and ResNet-50.
void add_pools(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  const int64_t small = config.batch_cifar, large = config.batch_imagenet;
  const std::pair<Pool2d::Params, bool> pools[] = {
      {{config.dtype, small, 32, 32, 64, 2, 2, 2, 2}, true},
      {{config.dtype, large, 112, 112, 64, 3, 3, 2, 2, 1, 1}, true},
      {{config.dtype, small, 8, 8, 256, 8, 8, 1, 1}, false},
      {{config.dtype, large, 7, 7, 2048, 7, 7, 1, 1}, false}};
  for (const auto& [p, max] : pools)
    for (const bool backward : {false, true}) {
      LazyCase lazy{fmt::format("{}_pool_{}", max ? "max" : "avg", backward ? "backward" : "forward"),
                    fmt::format("n{} {}x{}x{} {}x{} s{}", p.n, p.h, p.w, p.c, p.r, p.s, p.stride_h),
                    {}};
      lazy.make = [=, p = p, max = max, device = config.device, named = lazy] {
        return pool_case(device, p, max, backward, named);
      };
      cases.push_back(lazy);
    }
}

}  // namespace

void add_layer_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  add_linears(config, cases);
  add_pools(config, cases);
  for (const auto& [n, classes] : {std::pair{config.batch_cifar, 10}, std::pair{config.batch_imagenet, 1000}})
    cases.push_back({"softmax_cross_entropy", fmt::format("{} x {}", n, classes),
                     [=, n = n, classes = classes] { return loss_case(config.device, n, classes); }});
  add_updates(config, cases);
  cases.push_back({"augmentation", fmt::format("{} images 32x32x3", config.batch_cifar),
                   [=] { return image_case(config.device, config.dtype, config.batch_cifar); }});
}

}  // namespace eb::tools
