// What an op is, but for how it runs (engine/model/run_op.cpp) and how it is exported (tools/export): those
// need kernels or formats, and a graph needs neither. docs/add_an_op.md leads through it.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/graph/parameter.h"
#include "engine/tensor/tensor.h"

namespace eb::engine {

using Where = std::string;  // what an error is about: node "conv1", graph

// What the reference and the schema say (docs/own_network.md): without one an op, or a key, does not compile.
struct Sentence {
  const char* text;
  consteval Sentence(const char* t) : text(*t ? t : throw "a sentence, please") {}
};

// A key in an op's JSON: a field of Node, or a pair of functions.
struct Key {
  enum class Type : uint8_t {
    integer,
    boolean,
    number,
    pair,
    integers
  };  // pair: an integer or [height, width]
  struct Text {
    void (*read)(const nlohmann::json&, const Where&, Node&);
    nlohmann::json (*write)(const Node&);  // discarded = leave out
    Type type;
  };
  using Pair = int64_t[2];
  enum Required : uint8_t { required };

  const char* name;
  std::variant<int64_t Node::*, bool Node::*, float Node::*, Pair Node::*, Text> field;
  Sentence doc;
  bool must_be_given = false;
  const char* otherwise = nullptr;  // what stands for it when it is left out, if that is no fixed value

  template <class F>
  constexpr Key(const char* n, F f, Sentence d) : name(n), field(f), doc(d) {}
  template <class F>
  constexpr Key(const char* n, F f, Sentence d, Required) : name(n), field(f), doc(d), must_be_given(true) {}
  template <class F>
  constexpr Key(const char* n, F f, Sentence d, const char* o) : name(n), field(f), doc(d), otherwise(o) {}
};

using Inputs = std::vector<const Node*>;

// Whether channels of what an op reads and of what it writes belong together.
enum class ChannelRule : uint8_t {
  tied,     // no channel may go, neither of what it reads nor of its output
  fresh,    // its output has channels of its own; one it reads may go if it is zero
  keeps,    // output channel i comes from channel i of every input, and of zeros comes zero
  shifted,  // the same, but of zeros comes something else
  scores,   // a batch norm, whose gamma decides over channels
  selects   // drops channels
};
template <ChannelRule rule>
ChannelRule always(const Node&, const Node&) {
  return rule;
}

struct ParameterSpec {
  Parameter::Kind kind;
  const char* suffix;  // of the state_dict name, behind the node's id
  Shape shape;
  Parameter::Axis first = Parameter::Axis::output, last = Parameter::Axis::fixed;
};

// State that is not trained.
enum class BufferKind : uint8_t { running_mean, running_var, select_indexes };
struct BufferSpec {
  BufferKind kind;
  const char* suffix;
  int64_t count;
};

// For one image, as the reference counts: a multiply-add is 2 FLOPs.
struct Work {
  int64_t flops = 0;
  int64_t macs = 0;  // multiply-adds of convolutions and linear layers alone
};

// What training keeps of an op's output from forward to backward, in tensors of its own.
enum class Keeps : uint8_t {
  output,
  nothing,           // written in the place of what its producer keeps
  nothing_behind_bn  // the same, if one of its producers is a batch norm
};

struct Step;
struct RunContext;
using RunOp = Tensor (*)(const Step&, RunContext&);

// x is the node's first input; of the graph's input, which reads nothing, the node itself.
struct OpSpec {
  const char* name;  // "op" in JSON
  Sentence doc;      // what it computes, for the user of a graph
  Sentence output;   // the shape of its output, of an input (C, H, W)
  int inputs = 1;
  std::span<const Key> keys = {};       // beside id, op and in, in reading order
  void (*defaults)(Node&) = nullptr;    // of keys, where they differ from Node's own
  void (*infer)(Node&, const Inputs&);  // sets h, w, c. Error 21xx, see Graph::infer_shapes
  ChannelRule (*channels)(const Node&, const Node& x) = always<ChannelRule::tied>;
  std::vector<ParameterSpec> (*parameters)(const Node&, const Node& x) = nullptr;  // null: none
  std::vector<BufferSpec> (*buffers)(const Node&) = nullptr;
  Work (*work)(const Node&, const Node& x) = nullptr;  // null: not counted
  Keeps keeps = Keeps::output;
  int kept_bytes = 0;  // beside the output, for each of its elements
  // Of an op from outside the list: how it runs. The engine's own have their rows in engine/model/run_op.cpp.
  RunOp run = nullptr;
};

// The list, in the order of Op::Known; the first is the graph's input.
std::span<const Op> all_ops();

// A node of the op with the defaults of its keys.
Node new_node(Op op);
const Node& first_input(const Graph& graph, const Node& node);
std::vector<ParameterSpec> parameters_of(const Graph& graph, const Node& node);
std::vector<BufferSpec> buffers_of(const Node& node);

}  // namespace eb::engine
