// Between the arena (OHWI) and files (the reference's names, PyTorch's OIHW).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/op_spec.h"
#include "engine/model/model.h"

namespace eb::engine {

namespace {

using Tensors = std::map<std::string, Tensor>;

// conv (K, C, R, S); linear (out, C * H * W); vectors as they are.
Shape file_shape(const Parameter& p) {
  if (p.kind == Parameter::Kind::conv_weight) return {p.shape[0], p.shape[3], p.shape[1], p.shape[2]};
  if (p.kind == Parameter::Kind::linear_weight) return {p.shape[0], p.count / p.shape[0]};
  return p.shape;
}

// Calls copy(arena index, file index) for every element.
template <class Copy>
void for_each_element(const Parameter& p, Copy copy) {
  if (!p.is_weight()) {
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

Tensor copy_of(const Tensor& t) {
  Tensor copy = Tensor::empty(t.shape(), t.dtype());
  copy.copy_from(t);
  return copy;
}

Tensor indexes_of(const Node& n) {
  std::vector<float> keep(static_cast<size_t>(n.select_total), n.select_all ? 1.f : 0.f);
  for (int32_t i : n.select) keep[static_cast<size_t>(i)] = 1.f;
  return vector_of(keep);
}

Tensor buffer_value(const Model& m, int node, BufferKind kind) {
  switch (kind) {
    case BufferKind::running_mean:
      return copy_of(m.running(node).mean);
    case BufferKind::running_var:
      return copy_of(m.running(node).var);
    case BufferKind::select_indexes:
      return indexes_of(m.graph().nodes[node]);
  }
  throw std::logic_error("[state_dict] a buffer without a value");
}

// A graph carries its selects itself (check_selects).
void load_buffer(const Model& m, int node, BufferKind kind, const Tensor& from) {
  if (kind == BufferKind::running_mean) m.running(node).mean.copy_from(from);
  if (kind == BufferKind::running_var) m.running(node).var.copy_from(from);
}

// Calls visit(node, name, kind).
template <class Visit>
void for_each_buffer(const Graph& g, Visit visit) {
  for (int i = 0; i < static_cast<int>(g.nodes.size()); ++i)
    for (const BufferSpec& b : buffers_of(g.nodes[i])) visit(i, g.nodes[i].id + b.suffix, b.kind);
}

using Shapes = std::map<std::string, Shape>;

Shapes parameter_shapes(const Model& m) {
  Shapes shapes;
  for (const Parameter& p : m.parameters()) shapes[p.name] = file_shape(p);
  return shapes;
}

Shapes state_shapes(const Model& m) {
  Shapes shapes = parameter_shapes(m);
  for (const Node& n : m.graph().nodes)
    for (const BufferSpec& b : buffers_of(n)) shapes[n.id + b.suffix] = {b.count};
  return shapes;
}

// "a", "b" and 3 more
std::string list(const std::vector<std::string>& names) {
  constexpr size_t most = 8;
  std::string text;
  for (size_t i = 0; i < std::min(most, names.size()); ++i)
    text += fmt::format("{}\"{}\"", i ? ", " : "", names[i]);
  return names.size() <= most ? text : fmt::format("{} and {} more", text, names.size() - most);
}

void refuse_missing(const Tensors& tensors, const Shapes& want) {
  std::vector<std::string> missing;
  for (const auto& [name, shape] : want)
    if (!tensors.count(name)) missing.push_back(name);
  if (!missing.empty())
    throw Error(errors::tensor_missing, "missing tensor " + list(missing),
                "the file does not belong to this graph");
}

void refuse_unexpected(const Tensors& tensors, const Shapes& want) {
  std::vector<std::string> unexpected, known;
  for (const auto& [name, tensor] : tensors)
    if (!want.count(name)) unexpected.push_back(name);
  if (unexpected.empty()) return;
  for (const auto& [name, shape] : want) known.push_back(name);
  const std::string near = did_you_mean(unexpected[0], known);
  throw Error(errors::tensor_unexpected, "unexpected tensor " + list(unexpected),
              near.empty() ? "" : fmt::format("did you mean \"{}\"?", near));
}

void refuse_misshapen(const Tensors& tensors, const Shapes& want) {
  std::string found;
  for (const auto& [name, shape] : want) {
    const Tensor& t = tensors.at(name);
    if (t.shape() != shape || t.dtype() != DType::f32)
      found += fmt::format("{}\"{}\" is {} {}, want f32 {}", found.empty() ? "" : "; ", name,
                           kernels::name_of(t.dtype()), to_string(t.shape()), to_string(shape));
  }
  if (!found.empty())
    throw Error(errors::tensor_shape, "tensor " + found, "the file does not belong to this graph");
}

void check_tensors(const Tensors& tensors, const Shapes& want) {
  refuse_unexpected(tensors, want);
  refuse_missing(tensors, want);
  refuse_misshapen(tensors, want);
}

// A graph carries its selects itself; a file that keeps other channels belongs to another graph.
void check_selects(const Model& m, const Tensors& tensors) {
  for_each_buffer(m.graph(), [&](int node, const std::string& name, BufferKind kind) {
    if (kind != BufferKind::select_indexes) return;
    const Tensor want = indexes_of(m.graph().nodes[node]), &got = tensors.at(name);
    if (std::memcmp(want.raw(), got.raw(), want.bytes()) != 0)
      throw Error(errors::tensor_shape,
                  fmt::format("tensor \"{}\" keeps other channels than the graph", name));
  });
}

Tensors parameters_dict(const Model& m, const Tensor& arena) {
  Tensors d;
  const Tensor host = arena.to(Device::cpu);
  for (const Parameter& p : m.parameters()) d[p.name] = to_file(p, host.data<float>() + p.offset);
  return d;
}

void load_parameters(const Model& m, const Tensors& tensors, const Tensor& arena) {
  const Tensor host = arena.to(Device::cpu);  // the gaps stay as they are
  for (const Parameter& p : m.parameters()) from_file(p, tensors.at(p.name), host.data<float>() + p.offset);
  arena.copy_from(host);
}

}  // namespace

std::map<std::string, Tensor> state_dict(const Model& m) {
  Tensors d = parameters_dict(m, m.values());
  for_each_buffer(m.graph(), [&](int node, const std::string& name, BufferKind kind) {
    d[name] = buffer_value(m, node, kind);
  });
  return d;
}

void load_state_dict(Model& m, const Tensors& tensors) {
  check_tensors(tensors, state_shapes(m));
  check_selects(m, tensors);
  load_parameters(m, tensors, m.values());
  for_each_buffer(m.graph(), [&](int node, const std::string& name, BufferKind kind) {
    load_buffer(m, node, kind, tensors.at(name));
  });
  m.values_changed();
}

std::map<std::string, Tensor> momentum_dict(const Model& m) {
  return parameters_dict(m, m.momentum());
}

void load_momentum_dict(Model& m, const Tensors& tensors) {
  check_tensors(tensors, parameter_shapes(m));
  load_parameters(m, tensors, m.momentum());
}

}  // namespace eb::engine
