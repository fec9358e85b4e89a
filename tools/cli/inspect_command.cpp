// `eb_engine inspect`: what is in a run, a checkpoint or a safetensors file.
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/graph/accounting.h"
#include "tools/cli/commands.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

struct InspectFlags {
  std::string path;
  bool json = false;
};

static json tensor_list(const std::map<std::string, Tensor>& tensors) {
  json list = json::array();
  for (const auto& [name, t] : tensors)
    list.push_back({{"name", name}, {"dtype", kernels::name_of(t.dtype())}, {"shape", t.shape()}});
  return list;
}

static json layer_list(const Graph& graph) {
  json list = json::array();
  for (const LayerCost& cost : layer_costs(graph)) {
    const Node& n = graph.nodes[cost.node];
    list.push_back({{"id", n.id},
                    {"op", name_of(n.op)},
                    {"shape", {n.h, n.w, n.c}},
                    {"params", cost.params},
                    {"flops", cost.flops}});
  }
  return list;
}

static json inspect_checkpoint(const std::string& path) {
  const LoadedModel loaded = load_model(path);
  const GraphCost cost = graph_cost(loaded.model.graph());
  json state = loaded.checkpoint.state;
  return {{"checkpoint", loaded.path.string()},
          {"step", state.value("step", 0)},
          {"epoch", state.value("epoch", 0)},
          {"phase", state.value("phase", "")},
          {"params", cost.params},
          {"flops_per_image", cost.flops},
          {"layers", layer_list(loaded.model.graph())},
          {"tensors", tensor_list(loaded.checkpoint.model)}};
}

static json inspect_file(const std::string& path) {
  const SafetensorsFile file = read_safetensors(path);
  return {{"file", path}, {"metadata", file.metadata}, {"tensors", tensor_list(file.tensors)}};
}

static void print_network(const json& info) {
  for (const auto& [key, value] : info.items()) {
    if (!value.is_array()) {
      std::cout << key << ": " << (value.is_string() ? value.get<std::string>() : dump_json(value)) << "\n";
      continue;
    }
    std::cout << key << ":\n";
    for (const auto& row : value) {
      std::string text;
      for (const auto& [k, v] : row.items())
        text += fmt::format("  {}={}", k, v.is_string() ? v.get<std::string>() : dump_json(v));
      std::cout << text << "\n";
    }
  }
}

static int inspect(const InspectFlags& f) {
  const bool file = f.path.size() > 12 && f.path.ends_with(".safetensors");
  const json info = file ? inspect_file(f.path) : inspect_checkpoint(f.path);
  if (f.json)
    std::cout << dump_json(info, 2) << "\n";
  else
    print_network(info);
  return 0;
}

Command inspect_command() {
  const auto f = std::make_shared<InspectFlags>();
  return {
      .name = "inspect",
      .doc = "What is in a run, a checkpoint, a ticket or a safetensors file",
      .flags =
          {Flag{"PATH", &f->path, "Run directory, checkpoint directory or .safetensors file"}.must_be_given(),
           Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return inspect(*f); },
  };
}

}  // namespace eb::tools
