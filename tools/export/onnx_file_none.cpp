// In place of onnx_file.cpp where libonnx was not found (EB_ONNX).
#include "tools/export/onnx_file.h"

namespace eb::tools {

bool has_onnx() {
  return false;
}

std::string onnx_bytes(const OnnxGraph&) {
  throw no_onnx();
}

}  // namespace eb::tools
