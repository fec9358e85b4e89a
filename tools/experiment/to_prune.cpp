#include "tools/experiment/to_prune.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/run/names.h"

namespace eb::tools {

using namespace engine;

bool is_pruned(const LoadedModel& loaded) {
  return to_json(described_graph(loaded.config)) != to_json(loaded.model.graph());
}

static bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(path, none);
}

// The RUN/dense that a path belongs to: of RUN itself, of RUN/ckpt/step-00000960, RUN/best or RUN/swa. Empty
// if there is none.
static fs::path dense_beside(fs::path path) {
  path = path.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  for (int up = 0; up < 3 && !path.empty(); ++up, path = path.parent_path())
    if (is_there(path / file_names::checkpoints))
      return is_there(path / file_names::dense / file_names::manifest) ? path / file_names::dense
                                                                       : fs::path();
  return {};
}

static Error already_pruned(const LoadedModel& pruned, const fs::path& given) {
  const fs::path dense = dense_beside(given);
  return Error(errors::already_pruned,
               fmt::format("the network of {} has been pruned already", quote_path(pruned.path)),
               (dense.empty() ? "name the dense network it came from"
                              : fmt::format("name {}, the dense network it came from", shell_word(dense))) +
                   "; or --again prunes it once more, with a ratio of the channels that are left");
}

LoadedModel load_to_prune(const fs::path& given, bool again) {
  LoadedModel loaded = load_model(given);
  if (!is_pruned(loaded)) return loaded;
  if (again) {
    std::fprintf(stderr, "%s has been pruned already: what is pruned now is of the channels that are left\n",
                 printable_path(loaded.path).c_str());
    return loaded;
  }
  const fs::path dense = dense_beside(given);
  if (dense.empty() || !is_there(given / file_names::checkpoints)) throw already_pruned(loaded, given);
  std::fprintf(stderr, "%s went on with its ticket: this is the dense network of its draw, %s\n",
               printable_path(given).c_str(), printable_path(dense).c_str());
  return load_model(dense);
}

}  // namespace eb::tools
