// The text of one class of model.py. Numbers that blocks of the same build may differ in (channels, strides)
// are left open, so that they share one class.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tools/export/torch_tree.h"

namespace eb::tools {

struct TorchClass {
  struct Slot {
    std::string name, value;  // of the constructor's argument, and what this block gives
    bool stride = false;
  };
  std::vector<std::string> init, forward;  // statements, in which slot_mark(i) stands for slots[i]
  std::vector<Slot> slots;
};

std::string slot_mark(size_t slot);

// How to construct each block: "Block1(64, 256)".
using BlockCalls = std::map<const TorchModule*, std::string>;

// `blocks` holds those inside this one. Error 2076 for a layer that PyTorch does not have.
TorchClass torch_class(const engine::Graph& graph, const TorchModule& block, const BlockCalls& blocks);

// Its parts.
void write_init(const engine::Graph& graph, const TorchModule& block, const BlockCalls& blocks,
                TorchClass& out);
void write_forward(const engine::Graph& graph, const TorchModule& block, TorchClass& out);

// self.NAME, or what reads a name that Python's grammar does not take; of an nn.ModuleDict PARENT["NAME"].
std::string member(const std::string& parent, const TorchModule& child, bool of_dict);

}  // namespace eb::tools
