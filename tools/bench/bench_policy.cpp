#include "tools/bench/bench_policy.h"

#include <fmt/format.h>

#include <span>

#include "kernels/cuda/policy/conv2d_policy.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {

using kernels::Conv2d;
using kernels::DType;
using kernels::cuda::ConvPrediction;
using kernels::cuda::DeviceLimits;
using kernels::cuda::facts_of;
using Direction = Conv2d::Direction;

namespace {

constexpr int64_t batches[] = {64, 128, 256};
constexpr const char* networks[] = {"vgg16", "preresnet101", "resnet18", "resnet50"};
constexpr const char* names[] = {"forward", "backward data", "backward weight"};  // by Direction

// Images need no gradient.
bool is_computed(const Conv2d::Params& p, Direction d) {
  return d != Direction::backward_data || p.c != 3;
}

struct Macs {
  double all = 0, wgmma = 0;
  void add(const NamedConv& conv, Direction d, const DeviceLimits& limits) {
    if (!is_computed(conv.p, d)) return;
    const double macs = static_cast<double>(kernels::cuda::forward_gemm(conv.p).macs() * conv.times);
    all += macs;
    if (facts_of(kernels::cuda::predict(conv.p, d, limits).tile).wgmma) wgmma += macs;
  }
  double share() const { return wgmma / all; }
};

std::string cell(const Conv2d::Params& p, Direction d, const DeviceLimits& limits) {
  const ConvPrediction c = kernels::cuda::predict(p, d, limits);
  const std::string slices = c.slices > 1 ? fmt::format(" / {}", c.slices) : "";
  return fmt::format("{}{}, {:.2f}, {:.0f} %", facts_of(c.tile).name, slices, c.waves,
                     100 * kernels::cuda::predicted_share(p, d, limits));
}

std::string shape(const NamedConv& conv) {
  const Conv2d::Params& p = conv.p;
  return fmt::format("{}x{} {}->{} {}x{}{} ({})", p.h, p.w, p.c, p.k, p.r, p.s,
                     p.stride_h > 1 ? fmt::format(" s{}", p.stride_h) : "", conv.times);
}

std::string table(const std::string& network, const DeviceLimits& limits) {
  std::string text = fmt::format("\n## {}\n\n| share of the multiplications on wgmma |", network);
  for (const int64_t batch : batches) text += fmt::format(" batch {} |", batch);
  text += "\n|---|---|---|---|\n";
  for (const Direction d : directions) {
    text += fmt::format("| {} |", names[static_cast<int>(d)]);
    for (const int64_t batch : batches)
      text += fmt::format(" {:.1f} % |", 100 * wgmma_share(network, batch, d, limits));
    text += "\n";
  }
  text += "\n| shape (times) | direction | batch 64 | batch 128 | batch 256 |\n|---|---|---|---|---|\n";
  for (const NamedConv& conv : network_convs(network, 0, 1, DType::bf16))
    for (const Direction d : directions) {
      if (!is_computed(conv.p, d)) continue;
      text += fmt::format("| {} | {} |", shape(conv), names[static_cast<int>(d)]);
      for (const int64_t batch : batches) {
        Conv2d::Params p = conv.p;
        p.n = batch;
        text += " " + cell(p, d, limits) + " |";
      }
      text += "\n";
    }
  return text;
}

}  // namespace

static double wgmma_share(const std::string& network, int64_t batch, std::span<const Direction> of,
                          const DeviceLimits& limits) {
  Macs sum;
  for (const NamedConv& conv : network_convs(network, 0, batch, DType::bf16))
    for (const Direction d : of) sum.add(conv, d, limits);
  return sum.share();
}

double wgmma_share(const std::string& network, int64_t batch, Direction d, const DeviceLimits& limits) {
  return wgmma_share(network, batch, std::span(&d, 1), limits);
}

double wgmma_share(const std::string& network, int64_t batch, const DeviceLimits& limits) {
  return wgmma_share(network, batch, directions, limits);
}

std::string policy_tables(const DeviceLimits& limits) {
  std::string text = fmt::format(
      "# Which kernel computes which convolution\n\n"
      "Written by `eb_engine bench policy > docs/launch_policy.md`. **Nothing here is measured.** A cell is "
      "the tile of\n"
      "the launch with the most work and, after a slash, the slices of its sums; the waves of that launch, "
      "its blocks\n"
      "over what {} SMs hold at once; and the predicted share of the tensor cores' bf16 peak, all launches "
      "and the\n"
      "memory's bandwidth counted. How the choice is made: [kernels.md](kernels.md#which-tile).\n",
      limits.processors);
  for (const char* network : networks) text += table(network, limits);
  return text;
}

}  // namespace eb::tools
