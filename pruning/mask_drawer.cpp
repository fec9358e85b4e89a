#include "pruning/mask_drawer.h"

#include <algorithm>
#include <cstring>

namespace eb::pruning {

using namespace engine;
using kernels::TopkMask;

// Arena positions of the scales behind each score.
static std::vector<std::vector<int32_t>> positions(const Model& model, const Scores& s, Rule rule) {
  std::vector<std::vector<int32_t>> of;
  for (size_t b = 0; b < s.bn.size(); ++b) {
    const int64_t offset = model.find(s.bn[b], Parameter::Kind::bn_gamma)->offset;
    for (int32_t c : s.channels[b]) of.push_back({static_cast<int32_t>(offset + c)});
  }
  if (rule != Rule::exact_k) return of;
  for (const std::vector<size_t>& members : shared_scores(model.graph(), s)) {
    std::vector<int32_t> all;
    for (size_t m : members) all.push_back(of[m][0]);
    for (size_t m : members) of[m] = all;
  }
  return of;
}

MaskDrawer::MaskDrawer(const Model& model, Rule rule, Merge merge) : rule_(rule), merge_(merge) {
  const auto of = positions(model, bn_scores(model, rule, merge), rule);
  bits_ = static_cast<int64_t>(of.size());
  std::vector<int32_t> index, first{0};
  for (const auto& scales : of) {
    index.insert(index.end(), scales.begin(), scales.end());
    first.push_back(static_cast<int32_t>(index.size()));
  }
  index_ = list_tensor(index, model.device());
  if (index.size() > of.size()) first_ = list_tensor(first, model.device());
}

// One launch's input and output, in one block of 8-byte words: result, distances, mask, then the masks to
// compare with.
struct MaskDrawer::Layout {
  int64_t window, words, result = 0, distances = 3, mask, fifo, all;
  static_assert(sizeof(TopkMask::Result) <= 3 * sizeof(uint64_t));
  Layout(int64_t bits, size_t masks)
      : window(static_cast<int64_t>(masks)),
        words(TopkMask::words(bits)),
        mask(distances + window),
        fifo(mask + words),
        all(fifo + window * words) {}

  MaskDrawer::Drawn read(const std::vector<uint64_t>& block, int64_t bits) const {
    TopkMask::Result r;
    std::memcpy(&r, &block[result], sizeof r);
    check_drawn(r);
    const auto at = [&](int64_t word) { return block.begin() + word; };
    return {{bits, {at(mask), at(fifo)}, r.threshold, r.kept}, {at(distances), at(mask)}};
  }
};

std::vector<MaskDrawer::Drawn> MaskDrawer::draw(const Model& model,
                                                const std::vector<Request>& requests) const {
  const Device device = model.device();
  const auto& memory = kernels::memory(device);
  const TopkMask& kernel = kernels::topk_mask(device);
  std::vector<Tensor> blocks;
  for (const Request& r : requests) {
    const int64_t k = pruned_count(bits_, r.ratio);
    const Layout l(bits_, r.compare.size());
    std::vector<uint64_t> host(static_cast<size_t>(l.all));
    for (int64_t w = 0; w < l.window; ++w)
      std::copy(r.compare[w]->begin(), r.compare[w]->end(), host.begin() + l.fifo + w * l.words);
    const Tensor block = Tensor::empty({l.all}, DType::i64, device);
    memory.to_device(block.raw(), host.data(), block.bytes());
    auto* at = block.data<uint64_t>();
    const TopkMask::Params p{rule_, bits_, k, l.window, merge_ == Merge::max};
    const Tensor space = workspace(kernel.workspace_bytes(p), device);
    kernel.draw(p, {.scores = {model.values().data<float>(), index_.data<int32_t>(), first_.data<int32_t>()},
                    .fifo = at + l.fifo,
                    .mask = at + l.mask,
                    .result = reinterpret_cast<TopkMask::Result*>(at + l.result),
                    .distances = reinterpret_cast<int64_t*>(at + l.distances),
                    .workspace = space.raw()});
    blocks.push_back(block);
  }
  std::vector<Drawn> drawn;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Layout l(bits_, requests[i].compare.size());
    std::vector<uint64_t> host(static_cast<size_t>(l.fifo));
    memory.to_host(host.data(), blocks[i].raw(), host.size() * sizeof(uint64_t));
    drawn.push_back(l.read(host, bits_));
  }
  return drawn;
}

}  // namespace eb::pruning
