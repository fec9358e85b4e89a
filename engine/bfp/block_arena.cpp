#include "engine/bfp/block_arena.h"

namespace eb::engine {

using kernels::RoundBlocks;

BlockArena::BlockArena(const Arenas& arenas, const BlockFormat& format, RoundedTensor weight,
                       RoundedTensor bias)
    : device_(arenas.device), bits_(format.bits) {
  int64_t exponents = 0;
  for (const Parameter& p : arenas.parameters) {
    const int64_t block = p.is_weight() ? format.block_of(p.shape) : 1;
    // A node has one weight and one vector, but a batch norm two vectors: its scale counts as the weight.
    const bool first = p.is_weight() || p.kind == Parameter::Kind::bn_gamma;
    segments_.push_back(
        {p.offset, p.count / block, block, exponents, rounding_id(p.node, first ? weight : bias)});
    exponents += p.count / block;
  }
  exponents_ = Tensor::empty({exponents}, DType::i16, device_);
}

void BlockArena::round(Quantize::Rounding rounding, uint64_t seed, RoundBlocks::Arrays arrays) const {
  arrays.segments = segments_.data();
  arrays.n_segments = static_cast<int64_t>(segments_.size());
  arrays.exponents = exponents_.data<int16_t>();
  const RoundBlocks& k = kernels::round_blocks(device_);
  const Tensor space = workspace(k.workspace_bytes(arrays.segments, arrays.n_segments), device_);
  arrays.workspace = space.raw();
  k.round({.bits = bits_, .rounding = rounding, .seed = seed}, arrays);
}

Tensor BlockArena::exponents_of(size_t parameter) const {
  const RoundBlocks::Segment& s = segments_[parameter];
  return Tensor::view(exponents_.data<int16_t>() + s.first_block, {s.blocks}, DType::i16, device_);
}

using Rounded = RoundedTensor;

BlockModel::BlockModel(const Arenas& m, const Precision& p)
    : precision(p),
      values(m, p.weight, Rounded::weight, Rounded::bias),
      gradients(m, p.gradient, Rounded::weight_gradient, Rounded::bias_gradient),
      momentum(m, p.momentum, Rounded::weight_momentum, Rounded::bias_momentum),
      codes(Tensor::zeros(m.values.shape(), DType::i8, m.device)),
      nodes_(static_cast<int64_t>(m.nodes)),
      parameters_(static_cast<int64_t>(m.parameters.size())) {
  const int64_t each = sizeof(Quantize::Counts);
  if (p.backward_by_tensor) {
    by_tensor.emplace(m, BlockFormat{p.weight.bits, BlockFormat::Block::tensor}, Rounded::weight,
                      Rounded::bias);
    codes_by_tensor = Tensor::zeros(m.values.shape(), DType::i8, m.device);
  }
  counts = Tensor::zeros({3 * (nodes_ + parameters_) * each}, DType::u8, m.device);
}

Quantize::Counts* BlockModel::node_counts(int node, Rounded what) const {
  return counts.data<Quantize::Counts>() + 3 * node + static_cast<int>(what);
}

Quantize::Counts* BlockModel::parameter_counts(size_t arena) const {
  return counts.data<Quantize::Counts>() + 3 * nodes_ + static_cast<int64_t>(arena) * parameters_;
}

void BlockModel::round_gradients(const Arenas& m, const uint32_t* step) const {
  auto* g = m.gradients.data<float>();
  gradients.round(precision.rounding, precision.seed,
                  {.step = step, .x = g, .y = g, .counts = parameter_counts(1)});
}

void BlockModel::round_update(const Arenas& m, const int32_t* allow, const uint32_t* step) const {
  auto *w = m.values.data<float>(), *v = m.momentum.data<float>();
  values.round(precision.rounding, precision.seed,
               {.allow = allow,
                .step = step,
                .x = w,
                .y = w,
                .codes = codes.data<int8_t>(),
                .counts = parameter_counts(0)});
  round_by_tensor(m, allow);
  momentum.round(precision.rounding, precision.seed,
                 {.allow = allow, .step = step, .x = v, .y = v, .counts = parameter_counts(2)});
}

void BlockModel::encode(const Arenas& m) const {
  values.round(Quantize::Rounding::nearest, 0, {.x = m.values.data<float>(), .codes = codes.data<int8_t>()});
  round_by_tensor(m, nullptr);
}

void BlockModel::round_by_tensor(const Arenas& m, const int32_t* allow) const {
  if (by_tensor)
    by_tensor->round(Quantize::Rounding::nearest, 0,
                     {.allow = allow, .x = m.values.data<float>(), .codes = codes_by_tensor.data<int8_t>()});
}

static Tensor codes_view(const Arenas& m, size_t parameter, const BlockArena& arena, const Tensor& codes,
                         int bits) {
  const Parameter& p = m.parameters[parameter];
  Tensor t = Tensor::view(codes.data<int8_t>() + p.offset, p.shape, DType::i8, m.device);
  t.set_blocks(std::make_shared<Blocks>(
      Blocks{arena.exponents_of(parameter), arena.block_of(parameter), bits, m.compute}));
  return t;
}

Tensor BlockModel::codes_of(const Arenas& m, size_t parameter) const {
  return codes_view(m, parameter, values, codes, precision.weight.bits);
}

Tensor BlockModel::backward_codes_of(const Arenas& m, size_t parameter) const {
  if (!by_tensor) return codes_of(m, parameter);
  return codes_view(m, parameter, *by_tensor, codes_by_tensor, precision.weight.bits);
}

}  // namespace eb::engine
