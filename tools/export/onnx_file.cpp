#include "tools/export/onnx_file.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <stdexcept>

namespace eb::tools {

namespace {

using engine::Shape;

constexpr int opset = 17, ir_version = 8;  // those of ONNX 1.12 and every later release
static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

void set(const OnnxTensor& from, onnx::TensorProto& to) {
  to.set_name(from.name);
  for (int64_t size : from.shape) to.add_dims(size);
  const bool integers = !from.integers.empty();
  to.set_data_type(integers ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
  if (integers)
    to.set_raw_data(from.integers.data(), from.integers.size() * sizeof(int64_t));
  else
    to.set_raw_data(from.floats.raw(), from.floats.bytes());
}

void set_value(int64_t value, onnx::AttributeProto& to) {
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(value);
}

void set_value(float value, onnx::AttributeProto& to) {
  to.set_type(onnx::AttributeProto::FLOAT);
  to.set_f(value);
}

void set_value(const std::vector<int64_t>& list, onnx::AttributeProto& to) {
  to.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : list) to.add_ints(value);
}

void set(const OnnxNode& from, onnx::NodeProto& to) {
  to.set_op_type(from.op);
  to.set_name(from.name);
  for (const auto& name : from.in) to.add_input(name);
  to.add_output(from.out);
  for (const auto& attribute : from.attributes) {
    onnx::AttributeProto& a = *to.add_attribute();
    a.set_name(attribute.name);
    std::visit([&](const auto& value) { set_value(value, a); }, attribute.value);
  }
}

// (batch, rest...) f32
void set(const std::string& name, const Shape& rest, onnx::ValueInfoProto& to) {
  to.set_name(name);
  auto& tensor = *to.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  tensor.mutable_shape()->add_dim()->set_dim_param("batch");
  for (int64_t size : rest) tensor.mutable_shape()->add_dim()->set_dim_value(size);
}

void set(const OnnxGraph& from, onnx::GraphProto& to) {
  to.set_name(from.name.empty() ? "network" : from.name);
  set("input", from.input, *to.add_input());
  set("logits", {from.classes}, *to.add_output());
  for (const auto& node : from.nodes) set(node, *to.add_node());
  for (const auto& tensor : from.tensors) set(tensor, *to.add_initializer());
}

onnx::ModelProto model_of(const OnnxGraph& graph) {
  onnx::ModelProto m;
  m.set_ir_version(ir_version);
  m.set_producer_name("eb_engine");
  m.set_producer_version(EB_VERSION);
  auto& operators = *m.add_opset_import();
  operators.set_domain("");
  operators.set_version(opset);
  for (const auto& [key, value] : graph.metadata) {
    auto& entry = *m.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  set(graph, *m.mutable_graph());
  return m;
}

}  // namespace

bool has_onnx() {
  return true;
}

std::string onnx_bytes(const OnnxGraph& graph) {
  const onnx::ModelProto m = model_of(graph);
  check_onnx_size(graph.name, m.ByteSizeLong());
  try {
    onnx::checker::check_model(m);
  } catch (const std::exception& e) {  // ours: whatever a graph may hold has an ONNX form
    throw std::logic_error(std::string("the exported network is not valid ONNX: ") + e.what());
  }
  std::string bytes;
  if (!m.SerializeToString(&bytes)) throw std::logic_error("protobuf cannot write the exported network");
  return bytes;
}

}  // namespace eb::tools
