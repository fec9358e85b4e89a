// `bench kernels`: batch norm in training, backward and at inference.
#include <fmt/format.h>

#include "kernels/batch_norm.h"
#include "tools/bench/bench_buffer.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::BatchNorm;
using kernels::Device;
using kernels::DType;

namespace {

using BatchNormPass = BatchNorm::Direction;
constexpr const char* batch_norm_families[] = {"batch_norm_forward", "batch_norm_infer",
                                               "batch_norm_backward"};

struct BatchNormBuffers {
  BatchNormBuffers(Device device, const BatchNorm::Params& p, BatchNormPass direction)
      : x(device, p.rows * p.c_in, p.dtype),
        dx(device, p.rows * p.c_in, p.dtype),
        y(device, p.rows * p.c, p.dtype),
        dy(device, p.rows * p.c, p.dtype),
        gamma(device, p.c_in, DType::f32),
        beta(device, p.c_in, DType::f32),
        running_mean(device, p.c_in, DType::f32),
        running_var(device, p.c_in, DType::f32),
        dgamma(device, p.c_in, DType::f32),
        dbeta(device, p.c_in, DType::f32),
        mean(device, p.c, DType::f32),
        rstd(device, p.c, DType::f32),
        select(device, static_cast<size_t>(p.c) * sizeof(int32_t)),
        largest(device, static_cast<size_t>(p.rows / p.sample_rows) * sizeof(uint32_t)),
        workspace(device, kernels::batch_norm(device).workspace_bytes(p, direction)) {
    running_var.repeat(std::vector<float>(static_cast<size_t>(p.c_in), 1.f));
    std::vector<int32_t> kept(static_cast<size_t>(p.c));
    for (int64_t i = 0; i < p.c; ++i) kept[i] = static_cast<int32_t>(i * p.c_in / p.c);
    select.repeat(kept);
  }
  BenchBuffer x, dx, y, dy, gamma, beta, running_mean, running_var, dgamma, dbeta, mean, rstd, select,
      largest, workspace;
};

std::function<void()> batch_norm_call(Device device, const BatchNorm::Params& p, BatchNormPass d,
                                      bool with_largest, std::shared_ptr<BatchNormBuffers> b) {
  const int32_t* select = p.c < p.c_in ? b->select.get<int32_t>() : nullptr;
  auto* largest = with_largest ? b->largest.get<uint32_t>() : nullptr;
  return [&kernel = kernels::batch_norm(device), p, d, b, select, largest] {
    if (d == BatchNormPass::backward)
      kernel.backward(p, {.x = b->x.get(),
                          .select = select,
                          .gamma = b->gamma.get<float>(),
                          .beta = b->beta.get<float>(),
                          .mean = b->mean.get<float>(),
                          .rstd = b->rstd.get<float>(),
                          .dy = b->dy.get(),
                          .dx = b->dx.get(),
                          .dgamma = b->dgamma.get<float>(),
                          .dbeta = b->dbeta.get<float>(),
                          .workspace = b->workspace.get()});
    else if (d == BatchNormPass::forward_infer)
      kernel.forward_infer(p, {.x = b->x.get(),
                               .select = select,
                               .gamma = b->gamma.get<float>(),
                               .beta = b->beta.get<float>(),
                               .running_mean = b->running_mean.get<float>(),
                               .running_var = b->running_var.get<float>(),
                               .y = b->y.get(),
                               .largest = largest,
                               .workspace = b->workspace.get()});
    else
      kernel.forward_train(p, {.x = b->x.get(),
                               .select = select,
                               .gamma = b->gamma.get<float>(),
                               .beta = b->beta.get<float>(),
                               .y = b->y.get(),
                               .mean = b->mean.get<float>(),
                               .rstd = b->rstd.get<float>(),
                               .running_mean = b->running_mean.get<float>(),
                               .running_var = b->running_var.get<float>(),
                               .largest = largest,
                               .workspace = b->workspace.get()});
  };
}

BenchCase batch_norm_case(Device device, const BatchNorm::Params& p, BatchNormPass d, bool largest,
                          const LazyCase& lazy) {
  auto b = std::make_shared<BatchNormBuffers>(device, p, d);
  BenchCase k{lazy.family, lazy.name, ""};
  // Forward reads x twice and writes y; backward reads x and dy twice and writes dx; inference reads x once.
  const auto x = static_cast<double>(b->x.bytes()), y = static_cast<double>(b->y.bytes());
  k.bytes = d == BatchNormPass::backward        ? 3 * x + 2 * y
            : d == BatchNormPass::forward_infer ? x + y
                                                : 2 * x + y;
  k.run = batch_norm_call(device, p, d, largest, b);
  return k;
}

void add_batch_norm(const BenchCasesConfig& config, const BatchNorm::Params& p, BatchNormPass d, bool largest,
                    std::vector<LazyCase>& cases) {
  LazyCase lazy{batch_norm_families[static_cast<int>(d)],
                fmt::format("{} x {}{}{}", p.rows, p.c_in, p.c < p.c_in ? fmt::format(", {} kept", p.c) : "",
                            largest ? ", largest of each sample" : ""),
                {}};
  lazy.make = [=, device = config.device, named = lazy] {
    return batch_norm_case(device, p, d, largest, named);
  };
  cases.push_back(lazy);
}

}  // namespace

void add_batch_norm_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases) {
  // The maps of VGG16's and PreResNet101's first stage, ResNet-50's largest, PreResNet101's later stages, an
  // odd count, a small deep one, and half the channels of the first.
  const int64_t small = config.batch_cifar, large = config.batch_imagenet;
  const int64_t shapes[][4] = {{small, 1024, 64, 64},  {small, 1024, 16, 16}, {large, 3136, 256, 256},
                               {small, 256, 128, 128}, {small, 64, 256, 256}, {small, 256, 113, 113},
                               {small, 4, 512, 512},   {small, 1024, 64, 32}};
  for (const auto& [samples, sample_rows, c_in, c] : shapes) {
    const BatchNorm::Params p{.dtype = config.dtype,
                              .rows = samples * sample_rows,
                              .c_in = c_in,
                              .c = c,
                              .relu = true,
                              .sample_rows = sample_rows};
    for (const BatchNormPass d :
         {BatchNormPass::forward_train, BatchNormPass::forward_infer, BatchNormPass::backward})
      add_batch_norm(config, p, d, false, cases);
    for (const BatchNormPass d : {BatchNormPass::forward_train,
                                  BatchNormPass::forward_infer})  // with what the quantiser behind it needs
      add_batch_norm(config, p, d, true, cases);
  }
}

}  // namespace eb::tools
