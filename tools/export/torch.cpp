// `export --to torch`: a directory with model.safetensors and model.py.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/safetensors.h"
#include "tools/export/export.h"
#include "tools/export/torch_source.h"

namespace eb::tools {

using namespace engine;

// A new directory, or one that an earlier export filled; never one that holds a checkpoint or other things.
static void prepare_directory(const fs::path& out) {
  std::error_code error;
  const auto status = fs::symlink_status(out, error);
  if (!fs::exists(status)) return make_directory(out);
  if (fs::is_directory(status) && (fs::is_empty(out, error) || fs::exists(out / "model.py", error))) return;
  throw Error(2077, quoted(out) + " exists and is no earlier export", "name a directory that does not exist");
}

static std::string weights_of(const Model& model) {
  SafetensorsFile file;
  file.tensors = state_dict(model);
  file.metadata = {{"format", "pt"}, {"graph", to_json(model.graph()).dump()}};
  return to_safetensors(file);
}

void export_torch(const Model& model, const ExportOptions& options) {
  const std::string source = torch_source(model.graph(), options.name);
  prepare_directory(options.out);
  replace_file(options.out / "model.safetensors", weights_of(model));
  replace_file(options.out / "model.py", source);
}

}  // namespace eb::tools
