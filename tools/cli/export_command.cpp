// `eb_engine export`: a checkpoint for other tools.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/experiment/experiment.h"
#include "tools/export/export.h"

namespace eb::tools {

using namespace engine;

struct ExportFlags {
  std::string checkpoint, to;
  ExportOptions options;
  bool json = false;
};

struct Writer {
  const char* name;
  void (*write)(const Model&, const ExportOptions&);
  const char* what;  // -o is
};

static const Writer writers[] = {
    {"torch", export_torch, "a directory: model.safetensors and model.py"},
    {"onnx", export_onnx, "a file"},
};

static const Writer& writer_of(const std::string& name) {
  return *std::find_if(std::begin(writers), std::end(writers),
                       [&](const Writer& w) { return w.name == name; });
}

static int export_checkpoint_as(ExportFlags& f) {
  const Writer& writer = writer_of(f.to);
  if (f.options.fold_bn && f.to != "onnx")
    throw Error(errors::unknown_export_flag, fmt::format("--fold-bn does not go with --to {}", f.to),
                "only --to onnx folds batch norms; model.py keeps the checkpoint's tensors");
  const LoadedModel loaded = load_model(f.checkpoint, "f32");
  f.options.name = loaded.config.get<std::string>("name");
  writer.write(loaded.model, f.options);
  const nlohmann::json facts = {{"to", f.to},
                                {"out", f.options.out.string()},
                                {"checkpoint", loaded.path.string()},
                                {"params", loaded.model.parameter_count()}};
  if (f.json)
    std::cout << dump_json(facts, 2) << "\n";
  else
    std::cout << fmt::format("{} ({} parameters) as {}: {}\n", loaded.path.string(),
                             loaded.model.parameter_count(), f.to, f.options.out.string());
  return 0;
}

Command export_command() {
  const auto f = std::make_shared<ExportFlags>();
  std::vector<std::string> names;
  std::string what;
  for (const Writer& w : writers) {
    names.push_back(w.name);
    what += fmt::format("{}{} for {}", what.empty() ? "" : ", ", w.what, w.name);
  }
  return {
      .name = "export",
      .doc = "A checkpoint for PyTorch or ONNX",
      .flags = {Flag{"CKPT", &f->checkpoint, checkpoint_doc}.must_be_given(),
                Flag{"--to", &f->to, "Format"}.must_be_given().one_of(names),
                Flag{"-o,--out", &f->options.out, "Where to: " + what}.must_be_given(),
                Flag{"--fold-bn", &f->options.fold_bn,
                     "onnx: batch norms become part of the convolution before them"},
                Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return export_checkpoint_as(*f); },
  };
}

}  // namespace eb::tools
