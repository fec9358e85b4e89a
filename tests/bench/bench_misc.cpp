// The other kernels at the sizes training uses them. Bytes are those an ideal implementation moves.
#include <benchmark/benchmark.h>

#include <numeric>

#include "kernels/elementwise.h"
#include "kernels/image.h"
#include "kernels/reduce.h"
#include "kernels/sgd.h"
#include "kernels/topk_mask.h"
#include "support/oracle_pool2d.h"
#include "support/oracle_softmax_cross_entropy.h"

#include "kernels/softmax_cross_entropy.h"

namespace eb::test {
namespace {

using kernels::Device;
using kernels::DType;

constexpr DType dtypes[] = {DType::f32, DType::bf16};

void elementwise_add(benchmark::State& state) {
  const DType dtype = dtypes[state.range(0)];
  const int64_t n = 128 * 32 * 32 * 64;
  const Values a(dtype, normal(n, 1)), b(dtype, normal(n, 2));
  Values y(dtype, n);
  for (auto _ : state) kernels::elementwise(Device::cpu).add({dtype, n}, a.data(), b.data(), y.data());
  state.SetBytesProcessed(state.iterations() * 3 * n * static_cast<int64_t>(kernels::size_of(dtype)));
}
BENCHMARK(elementwise_add)->DenseRange(0, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);

// A 20 M weight arena in one segment per 64 Ki, as VGG16 has it.
void sgd_step(benchmark::State& state) {
  const int64_t n = 20 << 20, count = 1 << 16;
  Floats grad(n, 0.1f), momentum(n), master(n, 1.f);
  std::vector<kernels::bf16> working(n);
  std::vector<kernels::Sgd::Segment> segments;
  for (int64_t at = 0; at < n; at += count) segments.push_back({at, count, 1e-4f, 0.f});
  const kernels::Sgd::Control control{.lr = 0.1f};
  const bool copy = state.range(0) != 0;
  for (auto _ : state) {
    kernels::sgd(Device::cpu)
        .step({}, {.segments = segments.data(),
                   .n_segments = static_cast<int64_t>(segments.size()),
                   .control = &control,
                   .grad = grad.data(),
                   .momentum = momentum.data(),
                   .master = master.data(),
                   .working = copy ? working.data() : nullptr});
  }
  state.SetBytesProcessed(state.iterations() * n * (copy ? 22 : 20));
}
BENCHMARK(sgd_step)->DenseRange(0, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);

void reduce_sum_of_squares(benchmark::State& state) {
  const Floats x(20 << 20, 0.5f);
  double sum;
  for (auto _ : state)
    kernels::reduce(Device::cpu).sum_of_squares(static_cast<int64_t>(x.size()), x.data(), &sum);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.size()) * 4);
}
BENCHMARK(reduce_sum_of_squares)->UseRealTime()->Unit(benchmark::kMicrosecond);

void reduce_all_finite(benchmark::State& state) {
  const Floats x(20 << 20, 0.5f);
  int32_t flag;
  for (auto _ : state)
    kernels::reduce(Device::cpu).all_finite(static_cast<int64_t>(x.size()), x.data(), &flag);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.size()) * 4);
}
BENCHMARK(reduce_all_finite)->UseRealTime()->Unit(benchmark::kMicrosecond);

void pool(benchmark::State& state, const Pool2dCase& shape, bool max) {
  const auto p = shape.params(DType::f32);
  const int64_t n_in = p.n * p.h * p.w * p.c, n_out = p.n * p.out_h() * p.out_w() * p.c;
  const Values x(DType::f32, normal(n_in, 1));
  Values y(DType::f32, n_out), dx(DType::f32, n_in);
  std::vector<uint8_t> index(n_out);
  const auto& kernel = kernels::pool2d(Device::cpu);
  for (auto _ : state) {
    max ? kernel.max_forward(p, x.data(), y.data(), index.data()) : kernel.avg_forward(p, x.data(), y.data());
    max ? kernel.max_backward(p, index.data(), y.data(), dx.data())
        : kernel.avg_backward(p, y.data(), dx.data());
  }
  state.SetBytesProcessed(state.iterations() * (8 * n_in + (max ? 10 : 8) * n_out));
}
BENCHMARK_CAPTURE(pool, max_vgg, Pool2dCase{"", 128, 32, 32, 64, 2, 2, 2, 2}, true)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pool, max_resnet_stem, Pool2dCase{"", 16, 112, 112, 64, 3, 3, 2, 2, 1, 1}, true)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pool, avg_global, Pool2dCase{"", 128, 8, 8, 256, 8, 8, 8, 8}, false)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void softmax_cross_entropy(benchmark::State& state) {
  const SoftmaxCase shape{"", 128, state.range(0), 0.1f};
  const Values logits(DType::f32, normal(shape.n * shape.classes, 1));
  Values dlogits(DType::f32, logits.size());
  const auto labels = shape.labels();
  float loss;
  int32_t top1, top5;
  for (auto _ : state) {
    kernels::softmax_cross_entropy(Device::cpu)
        .forward_backward({DType::f32, shape.n, shape.classes, 0.1f}, {.logits = logits.data(),
                                                                       .labels = labels.data(),
                                                                       .loss = &loss,
                                                                       .top1 = &top1,
                                                                       .top5 = &top5,
                                                                       .dlogits = dlogits.data()});
  }
}
BENCHMARK(softmax_cross_entropy)->Arg(10)->Arg(1000)->UseRealTime()->Unit(benchmark::kMicrosecond);

// One draw and four distances on a network of 30,000 channels.
void topk_mask_and_distances(benchmark::State& state) {
  const int64_t total = 30000;
  const Floats scores = to_floats(normal(total, 1));
  std::vector<uint64_t> mask((total + 63) / 64), window(4 * mask.size(), 0x5555555555555555u);
  const auto rule = state.range(0) ? kernels::TopkMask::Rule::reference : kernels::TopkMask::Rule::exact_k;
  kernels::TopkMask::Result result;
  int64_t distances[4];
  for (auto _ : state) {
    kernels::topk_mask(Device::cpu)
        .draw({rule, total, total / 2, 4}, {scores.data()}, window.data(), mask.data(), &result, distances);
    benchmark::DoNotOptimize(distances);
  }
}
BENCHMARK(topk_mask_and_distances)->DenseRange(0, 1)->UseRealTime()->Unit(benchmark::kMicrosecond);

void image_cifar(benchmark::State& state) {
  const int64_t n = 128;
  const kernels::Image::Params p{.n = n,
                                 .h = 32,
                                 .w = 32,
                                 .c = 3,
                                 .out_h = 32,
                                 .out_w = 32,
                                 .pad = 4,
                                 .random_crop = true,
                                 .random_flip = true};
  const std::vector<uint8_t> x(n * 32 * 32 * 3, 100);
  std::vector<int64_t> ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  Values y(DType::f32, n * 32 * 32 * 3);
  for (auto _ : state)
    kernels::image(Device::cpu).crop_flip_normalize(p, x.data(), nullptr, ids.data(), y.data());
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(image_cifar)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace eb::test
