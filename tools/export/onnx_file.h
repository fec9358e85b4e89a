// From a graph in ONNX's words to the bytes of a file: the only place that knows protobuf and libonnx, which
// a build may lack.
#pragma once
#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "tools/export/onnx_graph.h"

namespace eb::tools {

bool has_onnx();  // of this build
// Opset 17, IR version 8; checked with ONNX's own checker. Error 2079 where the build has no ONNX.
std::string onnx_bytes(const OnnxGraph& graph);

Error no_onnx();
// Error 2078: protobuf ends at 2 GiB.
void check_onnx_size(const std::string& name, uint64_t bytes);

}  // namespace eb::tools
