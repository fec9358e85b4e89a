#include "tools/experiment/init_from.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

// "the first node that differs is "fc": {...} there, {...} here"; empty if the graphs are the same.
static std::string difference(const json& there, const json& here) {
  if (there == here) return "";
  if (there["input"] != here["input"])
    return fmt::format("its input is {}, here it is {}", there["input"].dump(), here["input"].dump());
  const json &a = there["nodes"], &b = here["nodes"];
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (a[i] != b[i])
      return fmt::format("the first node that differs is {} there, {} here", a[i].dump(), b[i].dump());
  return fmt::format("it has {} nodes, here are {}", a.size(), b.size());
}

void load_first_weights(Model& model, const std::filesystem::path& given) {
  std::string warning;
  const auto path = resolve_checkpoint(given, &warning);
  if (!warning.empty()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  const Checkpoint checkpoint = load_checkpoint(path);
  const Graph graph = graph_from_json(checkpoint.graph());
  const std::string differs = difference(to_json(graph), to_json(model.graph()));
  if (!differs.empty())
    throw Error(errors::start_of_another_network,
                fmt::format("{} holds another network: {}", quote_path(path), differs),
                "train with the config it was made with");
  load_state_dict(model, checkpoint.model);
}

}  // namespace eb::tools
