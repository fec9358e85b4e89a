#include "quant/training_ops.h"

#include "engine/graph/accounting.h"
#include "kernels/conv2d_int8.h"

namespace eb::quant {

using namespace engine;
using kernels::Conv2dInt8;
using Direction = Conv2dInt8::Direction;

static Conv2dInt8::Params params_of(const Node& n, const Node& x) {
  Conv2dInt8::Params p{DType::f32, 1, x.h, x.w, x.c, n.c, n.kernel[0], n.kernel[1]};
  p.stride_h = n.stride[0], p.stride_w = n.stride[1];
  p.pad_h = n.pad[0], p.pad_w = n.pad[1];
  p.groups = n.groups;
  return p;
}

// Whether a convolution goes the integer path in `direction`, by the blocks that Precision gives its
// operands.
static bool is_integer(const Node& n, const Node& x, Direction direction, const Precision& precision,
                       Device device) {
  if (!precision.quantized || !precision.conv_inputs || !precision.integer) return false;
  const Shape image{1, x.h, x.w, x.c}, output{1, n.h, n.w, n.c},
      weight{n.c, n.kernel[0], n.kernel[1], x.c / n.groups};
  const int64_t in = precision.activation.block_of(image), error = precision.error.block_of(output),
                filter = precision.weight.block_of(weight),
                backward_filter = precision.backward_by_tensor ? element_count(weight) : filter;
  const bool forward = direction == Direction::forward, data = direction == Direction::backward_data;
  return kernels::conv2d_int8(device).has_integer(params_of(n, x), direction, data ? error : in,
                                                  forward ? filter
                                                  : data  ? backward_filter
                                                          : error);
}

TrainingOps training_ops(const Graph& graph, const Precision& precision, Device device) {
  TrainingOps ops;
  for (const LayerCost& cost : layer_costs(graph)) {
    const Node& n = graph.nodes[cost.node];
    ops.fp += 3 * cost.flops;
    if (n.op != Op::conv) continue;
    for (const Direction d : {Direction::forward, Direction::backward_data, Direction::backward_weight})
      if (is_integer(n, graph.nodes[n.in[0]], d, precision, device)) {
        ops.int8 += 2 * cost.macs;
        ops.fp -= 2 * cost.macs;
      }
  }
  return ops;
}

}  // namespace eb::quant
