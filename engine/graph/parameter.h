// The trainable values of a graph: which there are, and the arenas they lie in.
#pragma once
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace eb::engine {

struct Parameter {
  // How it starts, decays, is laid out in files and is handed to its op.
  enum class Kind : uint8_t { conv_weight, linear_weight, bias, bn_gamma, bn_beta };
  enum class Axis : uint8_t { fixed, output, input };  // whose channels an axis follows when channels go
  std::string name;                                    // "feature.0.weight"
  Kind kind;
  int node;        // graph node it belongs to
  Shape shape;     // conv (K, R, S, C / groups); linear (out, H, W, C) of its input; else (C)
  int64_t offset;  // in the arena, in floats; every parameter starts on a 64-byte boundary, gaps are zero
  int64_t count;
  Axis first = Axis::output, last = Axis::fixed;  // last: of a shape of four
  bool is_weight() const { return is_weight(kind); }
  static bool is_weight(Kind kind) { return kind == Kind::conv_weight || kind == Kind::linear_weight; }
};

// A model's numbers without its graph; the list of parameters is the model's.
struct Arenas {
  Device device;
  DType compute;
  size_t nodes;  // of the graph
  const std::vector<Parameter>& parameters;
  const Tensor &values, &gradients, &momentum;  // (arena) f32
};

}  // namespace eb::engine
