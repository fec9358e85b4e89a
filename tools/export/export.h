// A trained network for other tools. Each writer gets the model as a checkpoint holds it: full precision, on
// the CPU, widths as compacted.
#pragma once
#include <filesystem>
#include <string>

#include "engine/model/model.h"

namespace eb::tools {

struct ExportOptions {
  std::filesystem::path out;
  std::string name;      // of the model, from its config
  bool fold_bn = false;  // onnx: batch norms become part of the convolution before them
};

// Into the directory `out`: model.safetensors (the reference's and torchvision's names) and model.py, plain
// torch.nn.
void export_torch(const engine::Model& model, const ExportOptions& options);
// The file `out`, opset 17, input (batch, C, H, W), output logits (batch, classes).
void export_onnx(const engine::Model& model, const ExportOptions& options);

}  // namespace eb::tools
