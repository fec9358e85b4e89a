// Between the arena (OHWI) and files (the reference's names, PyTorch's OIHW).
#include <fmt/format.h>

#include <cstring>

#include "engine/error.h"
#include "engine/model.h"

namespace eb::engine {

namespace {

using Tensors = std::map<std::string, Tensor>;

bool is_weight(const Parameter& p) {
  return p.shape.size() == 4;
}

// conv (K, C, R, S); linear (out, C * H * W); vectors as they are.
Shape file_shape(const Parameter& p) {
  if (p.kind == Parameter::Kind::conv_weight) return {p.shape[0], p.shape[3], p.shape[1], p.shape[2]};
  if (p.kind == Parameter::Kind::linear_weight) return {p.shape[0], p.count / p.shape[0]};
  return p.shape;
}

// Calls copy(arena index, file index) for every element.
template <class Copy>
void for_each_element(const Parameter& p, Copy copy) {
  if (!is_weight(p)) {
    for (int64_t i = 0; i < p.count; ++i) copy(i, i);
    return;
  }
  const int64_t taps = p.shape[1] * p.shape[2], c = p.shape[3];
  for (int64_t k = 0; k < p.shape[0]; ++k)
    for (int64_t t = 0; t < taps; ++t)
      for (int64_t i = 0; i < c; ++i) copy((k * taps + t) * c + i, (k * c + i) * taps + t);
}

Tensor to_file(const Parameter& p, const float* arena) {
  Tensor t = Tensor::empty(file_shape(p));
  float* out = t.data<float>();
  for_each_element(p, [&](int64_t a, int64_t f) { out[f] = arena[a]; });
  return t;
}

void from_file(const Parameter& p, const Tensor& t, float* arena) {
  const float* in = t.data<float>();
  for_each_element(p, [&](int64_t a, int64_t f) { arena[a] = in[f]; });
}

Tensor vector_of(const std::vector<float>& v) {
  Tensor t = Tensor::empty({static_cast<int64_t>(v.size())});
  std::memcpy(t.raw(), v.data(), v.size() * sizeof(float));
  return t;
}

Tensor indexes_of(const Node& n) {
  std::vector<float> keep(static_cast<size_t>(n.select_total), n.select_all ? 1.f : 0.f);
  for (int32_t i : n.select) keep[static_cast<size_t>(i)] = 1.f;
  return vector_of(keep);
}

const Tensor& expect(const Tensors& tensors, const std::string& name, const Shape& shape) {
  const auto it = tensors.find(name);
  if (it == tensors.end())
    throw Error(4010, fmt::format("tensor \"{}\" is missing", name),
                "the file does not belong to this graph");
  const Tensor& t = it->second;
  if (t.shape() != shape || t.dtype() != DType::f32)
    throw Error(4012, fmt::format("tensor \"{}\" is {} {}, want f32 {}", name, kernels::name_of(t.dtype()),
                                  to_string(t.shape()), to_string(shape)));
  return t;
}

void refuse_unexpected(const Tensors& tensors, const Tensors& known) {
  for (const auto& [name, t] : tensors)
    if (!known.count(name)) {
      std::vector<std::string> names;
      for (const auto& [k, v] : known) names.push_back(k);
      const std::string near = did_you_mean(name, names);
      throw Error(4011, fmt::format("unexpected tensor \"{}\"", name),
                  near.empty() ? "" : "nearest is \"" + near + "\"");
    }
}

Tensors parameters_dict(const Model& m, const Tensor& arena) {
  Tensors d;
  for (const Parameter& p : m.parameters()) d[p.name] = to_file(p, arena.data<float>() + p.offset);
  return d;
}

void load_vector(const Tensors& tensors, const std::string& name, std::vector<float>& v) {
  const Tensor& t = expect(tensors, name, {static_cast<int64_t>(v.size())});
  std::memcpy(v.data(), t.raw(), v.size() * sizeof(float));
}

}  // namespace

std::map<std::string, Tensor> state_dict(const Model& m) {
  Tensors d = parameters_dict(m, m.values());
  for (int bn : m.graph().bn_nodes()) {
    d[m.graph().nodes[bn].id + ".running_mean"] = vector_of(m.running(bn).mean);
    d[m.graph().nodes[bn].id + ".running_var"] = vector_of(m.running(bn).var);
  }
  for (const Node& n : m.graph().nodes)
    if (n.op == Op::select) d[n.id + ".indexes"] = indexes_of(n);
  return d;
}

void load_state_dict(Model& m, const Tensors& tensors) {
  refuse_unexpected(tensors, state_dict(m));
  for (const Parameter& p : m.parameters()) from_file(p, expect(tensors, p.name, file_shape(p)), m.value(p));
  for (int bn : m.graph().bn_nodes()) {
    load_vector(tensors, m.graph().nodes[bn].id + ".running_mean", m.running(bn).mean);
    load_vector(tensors, m.graph().nodes[bn].id + ".running_var", m.running(bn).var);
  }
  for (const Node& n : m.graph().nodes) {
    if (n.op != Op::select) continue;
    const Tensor want = indexes_of(n), &got = expect(tensors, n.id + ".indexes", want.shape());
    if (std::memcmp(want.raw(), got.raw(), want.bytes()) != 0)
      throw Error(4012, fmt::format("tensor \"{}.indexes\" keeps other channels than the graph", n.id));
  }
  m.values_changed();
}

std::map<std::string, Tensor> momentum_dict(const Model& m) {
  return parameters_dict(m, m.momentum());
}

void load_momentum_dict(Model& m, const Tensors& tensors) {
  refuse_unexpected(tensors, momentum_dict(m));
  for (const Parameter& p : m.parameters())
    from_file(p, expect(tensors, p.name, file_shape(p)), m.velocity(p));
}

}  // namespace eb::engine
