// `export --to onnx`: one file that any ONNX runtime takes (docs/onnx.md).
#include <fmt/format.h>

#include <climits>

#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "tools/export/export.h"
#include "tools/export/onnx_file.h"

namespace eb::tools {

using namespace engine;

Error no_onnx() {
  return Error(errors::onnx_not_built, "this build cannot write ONNX",
               "install libonnx-dev and libprotobuf-dev and build again, or use --to torch");
}

void check_onnx_size(const std::string& name, uint64_t bytes) {
  if (bytes <= INT_MAX) return;
  throw Error(errors::onnx_too_large,
              fmt::format("\"{}\" takes {:.1f} GiB, and a file in the ONNX format holds at most 2 GiB", name,
                          static_cast<double>(bytes) / (1 << 30)),
              "export a compacted network, or use --to torch");
}

void export_onnx(const Model& model, const ExportOptions& options) {
  if (!has_onnx()) throw no_onnx();
  check_onnx_size(options.name, static_cast<uint64_t>(model.parameter_count()) * sizeof(float));
  OnnxGraph graph = onnx_graph(model, options.fold_bn);
  graph.name = options.name;
  graph.metadata = {
      {"name", options.name}, {"params", std::to_string(model.parameter_count())}, {"eb_engine", EB_VERSION}};
  replace_file(options.out, onnx_bytes(graph));
}

}  // namespace eb::tools
