#include "tools/export/torch_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/export/torch_class.h"

namespace eb::tools {

using engine::Graph;
using engine::Node;
using engine::Op;
using Kind = TorchModule::Kind;

namespace {

struct Use {
  const TorchModule* block;
  TorchClass text;
};

// Blocks that one class serves.
using Uses = std::vector<Use>;

// What stands for each slot in the class, and which slots are arguments of its constructor.
struct Arguments {
  std::vector<std::string> text;
  std::vector<size_t> slots;
};

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

bool is_constant(const Uses& uses, size_t slot) {
  return std::all_of(uses.begin(), uses.end(), [&](const Use& u) {
    return u.text.slots[slot].value == uses[0].text.slots[slot].value;
  });
}

bool always_equal(const Uses& uses, size_t a, size_t b) {
  return std::all_of(uses.begin(), uses.end(),
                     [&](const Use& u) { return u.text.slots[a].value == u.text.slots[b].value; });
}

// Numbers that all uses share are written out, those that are always the same become one argument.
Arguments find_arguments(const Uses& uses) {
  const auto& slots = uses[0].text.slots;
  Arguments a;
  a.text.resize(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    if (is_constant(uses, i)) {
      a.text[i] = slots[i].value;
      continue;
    }
    const auto same = std::find_if(a.slots.begin(), a.slots.end(), [&](size_t s) {
      return slots[s].stride == slots[i].stride && always_equal(uses, s, i);
    });
    a.text[i] = same == a.slots.end() ? slots[i].name : a.text[*same];
    if (same == a.slots.end()) a.slots.push_back(i);
  }
  std::stable_partition(a.slots.begin(), a.slots.end(), [&](size_t s) { return !slots[s].stride; });
  return a;
}

// One stride needs no longer name.
void shorten_stride(const Uses& uses, Arguments& a) {
  const auto& slots = uses[0].text.slots;
  if (std::count_if(a.slots.begin(), a.slots.end(), [&](size_t s) { return slots[s].stride; }) != 1) return;
  const std::string longer = a.text[a.slots.back()];
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].stride && a.text[i] == longer) a.text[i] = "stride";
}

std::string filled_in(std::string line, const Arguments& a) {
  for (size_t i = 0; i < a.text.size(); ++i) {
    if (a.text[i] == "1") replace_all(line, ", stride=" + slot_mark(i), "");
    replace_all(line, slot_mark(i), a.text[i]);
  }
  return line;
}

void add_statements(std::string& text, const std::vector<std::string>& lines, const Arguments& a) {
  for (std::string line : lines) {
    if (line.find('\x01') != std::string::npos) line = filled_in(line, a);
    replace_all(line, "\n", "\n        ");
    text += fmt::format("        {}\n", line);
  }
}

std::string class_text(const std::string& name, const std::string& about, const Uses& uses,
                       const Arguments& a) {
  std::string text =
      fmt::format("class {}(nn.Module):\n    \"\"\"{}\"\"\"\n\n    def __init__(self", name, about);
  for (const size_t s : a.slots) text += ", " + a.text[s];
  text += "):\n        super().__init__()\n";
  add_statements(text, uses[0].text.init, a);
  text += "\n    def forward(self, x):\n";
  add_statements(text, uses[0].text.forward, a);
  return text;
}

std::string call_text(const std::string& name, const Use& use, const Arguments& a) {
  std::string text;
  for (const size_t s : a.slots) {
    const auto& slot = use.text.slots[s];
    text += text.empty() ? "" : ", ";
    text += slot.stride ? fmt::format("{}={}", a.text[s], slot.value) : slot.value;
  }
  return fmt::format("{}({})", name, text);
}

// "layer1.0, layer2.0 and 3 more"
std::string list_of(const Uses& uses) {
  constexpr size_t most = 6;
  std::string text;
  for (size_t i = 0; i < std::min(uses.size(), most); ++i) text += (i ? ", " : "") + uses[i].block->path;
  return uses.size() > most ? fmt::format("{} and {} more", text, uses.size() - most) : text;
}

int height_of(const TorchModule& m, std::map<int, std::vector<const TorchModule*>>& by_height) {
  int height = 0;
  for (const TorchModule& child : m.children) height = std::max(height, height_of(child, by_height));
  if (m.kind != Kind::block || m.path.empty()) return height;
  by_height[height].push_back(&m);
  return height + 1;
}

std::string key_of(const TorchClass& c) {
  return fmt::format("{}\n\n{}", fmt::join(c.init, "\n"), fmt::join(c.forward, "\n"));
}

// The classes of all blocks, inner ones first.
std::string block_classes(const Graph& g, const TorchModule& root, BlockCalls& calls) {
  std::map<int, std::vector<const TorchModule*>> by_height;
  height_of(root, by_height);
  std::vector<Uses> classes;
  std::string text;
  int count = 0;
  for (const auto& [height, blocks] : by_height) {
    std::map<std::string, size_t> known;
    std::vector<Uses> here;
    for (const TorchModule* block : blocks) {
      TorchClass c = torch_class(g, *block, calls);
      const auto [at, fresh] = known.try_emplace(key_of(c), here.size());
      if (fresh) here.emplace_back();
      here[at->second].push_back({block, std::move(c)});
    }
    for (const Uses& uses : here) {
      const std::string name = fmt::format("Block{}", ++count);
      Arguments a = find_arguments(uses);
      shorten_stride(uses, a);
      text += class_text(name, list_of(uses), uses, a) + "\n\n";
      for (const Use& use : uses) calls[use.block] = call_text(name, use, a);
    }
  }
  return text;
}

std::string model_class(const Graph& g, const TorchModule& root, const BlockCalls& calls,
                        const std::string& name) {
  const Uses uses = {{&root, torch_class(g, root, calls)}};
  const Node& x = g.nodes[0];
  const std::string about =
      fmt::format("{}: images (N, {}, {}, {}), normalised as in training, to logits (N, {}).", name, x.c, x.h,
                  x.w, g.nodes[g.output].c);
  return class_text("Model", about, uses, find_arguments(uses));
}

constexpr const char* select_class = R"(class ChannelSelect(nn.Module):
    """Keeps some of its channels: those where `indexes`, which comes with the weights, is 1."""

    def __init__(self, channels, kept):
        super().__init__()
        self.register_buffer("indexes", (torch.arange(channels) < kept).float())

    def forward(self, x):
        return x[:, self.indexes.nonzero()[:, 0]]


)";

constexpr const char* ending = R"(

def load(path=Path(__file__).with_name("model.safetensors")):
    """The trained network, ready to predict."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(path))
    return model.eval()

)";

bool has_selects(const Graph& g) {
  return std::any_of(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return n.op == Op::select; });
}

}  // namespace

std::string torch_source(const Graph& g, const std::string& name) {
  const TorchModule root = torch_tree(g);
  BlockCalls calls;
  const std::string blocks = block_classes(g, root, calls), model = model_class(g, root, calls, name);
  const bool functional = (blocks + model).find("F.") != std::string::npos;
  std::string text = fmt::format(
      "\"\"\"{}, written by eb_engine. load() gives it the weights of model.safetensors beside this "
      "file.\"\"\"\n"
      "from pathlib import Path\n\nimport torch\n{}from torch import nn\n\n\n",
      name, functional ? "import torch.nn.functional as F\n" : "");
  text += (has_selects(g) ? select_class : "") + blocks + model + ending;
  const Node& x = g.nodes[0];
  text += fmt::format(
      "\nif __name__ == \"__main__\":\n    print(tuple(Model().eval()(torch.randn(1, {}, {}, {})).shape))\n",
      x.c, x.h, x.w);
  return text;
}

}  // namespace eb::tools
