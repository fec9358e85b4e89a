// `eb_engine import`: weights from torchvision, timm or the reference become a checkpoint.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "tools/cli/commands.h"
#include "tools/experiment/experiment.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/model_files.h"
#include "tools/import/import_weights.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

struct ImportFlags {
  std::string weights, out;
  std::vector<std::filesystem::path> models;
  std::vector<std::string> sets;
  ImportOptions options;
  bool json = false;
};

// resnet50.safetensors becomes ./resnet50.
static std::filesystem::path directory_for(const ImportFlags& f) {
  return f.out.empty() ? std::filesystem::path(f.weights).stem() : std::filesystem::path(f.out);
}

static Checkpoint checkpoint_of(const Model& model, const Config& config, const std::string& weights,
                                const std::vector<std::string>& notes) {
  Checkpoint c;
  c.state = {{"step", 0}, {"epoch", 0}, {"phase", "import"}, {"imported_from", weights}, {"notes", notes}};
  c.model = state_dict(model);
  c.optim = momentum_dict(model);
  c.metadata = {{"format", "1"}, {"graph", to_json(model.graph()).dump()}, {"config", config.json().dump()}};
  return c;
}

static int import_checkpoint(const ImportFlags& f) {
  const Config config = load_config(experiment_fields(), experiment_files(f.models), f.sets);
  for (const std::string& warning : config.warnings()) std::cerr << "warning: " << warning << "\n";
  Model model(graph_of(config), DType::f32);
  initialize(model, init_of(config), config.get<uint64_t>("seed"));
  const ImportedWeights imported = import_weights(model, read_safetensors(f.weights).tensors, f.options);
  load_state_dict(model, imported.tensors);
  const std::filesystem::path out = directory_for(f);
  export_checkpoint(out, 0, checkpoint_of(model, config, f.weights, imported.notes));
  const json facts = {{"out", out.string()},
                      {"tensors", imported.tensors.size()},
                      {"params", model.parameter_count()},
                      {"notes", imported.notes}};
  if (f.json) {
    std::cout << dump_json(facts, 2) << "\n";
    return 0;
  }
  for (const std::string& note : imported.notes) std::cout << note << "\n";
  std::cout << fmt::format("{} tensors, {} parameters: {}\n", imported.tensors.size(),
                           model.parameter_count(), out.string());
  return 0;
}

Command import_command() {
  const auto f = std::make_shared<ImportFlags>();
  return {
      .name = "import",
      .doc = "A checkpoint from weights of torchvision, timm or the reference",
      .flags = {Flag{"WEIGHTS", &f->weights, "A .safetensors file"}.must_be_given(),
                Flag{"--model", &f->models,
                     "The experiment whose network it is: JSON files, merged left to right"}
                    .must_be_given()
                    .takes(Flag::Elements::one),
                Flag{"-o,--out", &f->out,
                     "Checkpoint directory to write; must not exist (default: the file's name)"},
                Flag{"--set", &f->sets, "Override one key: --set model.num_classes=100"},
                Flag{"--replace-classifier", &f->options.replace_classifier,
                     "The classifier keeps its initial weights, whatever the file has"},
                Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return import_checkpoint(*f); },
  };
}

}  // namespace eb::tools
