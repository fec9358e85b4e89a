// `export --to torch`: a directory with model.safetensors and model.py.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/checkpoint/safetensors.h"
#include "tools/export/export.h"
#include "tools/export/torch_source.h"

namespace eb::tools {

using namespace engine;

// True for a new directory, false for one that an earlier export filled; never one that holds a checkpoint or
// other things.
static bool prepare_directory(const fs::path& out) {
  std::error_code error;
  const auto status = fs::symlink_status(out, error);
  if (!fs::exists(status)) {
    make_directory(out);
    return true;
  }
  if (fs::is_directory(status) && (fs::is_empty(out, error) || fs::exists(out / "model.py", error)))
    return false;
  throw Error(errors::export_exists, quote_path(out) + " exists and is no earlier export",
              "name a directory that does not exist");
}

static std::string weights_of(const Model& model) {
  SafetensorsFile file;
  file.tensors = state_dict(model);
  file.metadata = {{"format", "pt"}, {"graph", to_json(model.graph()).dump()}};
  return to_safetensors(file);
}

void export_torch(const Model& model, const ExportOptions& options) {
  const std::string source = torch_source(model.graph(), options.name);
  const bool is_new = prepare_directory(options.out);
  try {
    replace_file(options.out / "model.safetensors", weights_of(model));
    replace_file(options.out / "model.py", source);
  } catch (const Error&) {
    if (is_new) remove_tree(options.out);
    throw;
  }
}

}  // namespace eb::tools
