#include "engine/bfp/block_conv2d.h"

#include "engine/ops/conv2d_calls.h"
#include "kernels/conv2d_int8.h"

namespace eb::engine {

using kernels::Conv2dInt8;
using Direction = Conv2dInt8::Direction;
using Path = Conv2dInt8::Path;

static Conv2dInt8::Operand operand(const Tensor& x) {
  const Blocks& b = *x.blocks();
  return {x.data<int8_t>(), b.exponents.data<int16_t>(), b.block, b.bits};
}

namespace {

// One call of the int8 kernels: the path the operands allow, and its workspace.
struct Call {
  const Conv2dInt8& kernel;
  Path path;
  Tensor space;

  Call(const Conv2dInt8::Params& p, Direction d, const Tensor& first, const Tensor& second, bool integer)
      : kernel(kernels::conv2d_int8(first.device())),
        path(integer && kernel.has_integer(p, d, first.blocks()->block, second.blocks()->block)
                 ? Path::integer
                 : Path::exact),
        space(workspace(kernel.workspace_bytes(p, d, path), first.device())) {}
};

}  // namespace

static Tensor int8_forward(const Conv2dInt8::Params& p, const Tensor& x, const Conv2dWeights& weights,
                           const BlockConv2dOptions& o) {
  const Call call(p, Direction::forward, x, weights.codes, o.integer);
  const Tensor y = Tensor::empty({p.n, p.out_h(), p.out_w(), p.k}, p.dtype, x.device());
  const bool by_sample = o.activation.block == BlockFormat::Block::dim0;
  const Tensor largest = by_sample ? Tensor::empty({p.n}, DType::i32, x.device()) : Tensor();
  call.kernel.forward(p, call.path,
                      {.x = operand(x),
                       .w = operand(weights.codes),
                       .b = weights.b.data<float>(),
                       .y = y.raw(),
                       .largest = largest.data<uint32_t>(),
                       .workspace = call.space.raw()});
  return quantize(y, o.activation, o.output_rounding, largest);
}

static Tensor int8_backward_data(const Conv2dInt8::Params& p, const Tensor& e, const Conv2dWeights& weights,
                                 const Shape& shape, bool integer) {
  const Tensor& w = weights.backward_codes;
  const Call call(p, Direction::backward_data, e, w, integer);
  const Tensor dx = Tensor::empty(shape, p.dtype, e.device());
  call.kernel.backward_data(
      p, call.path, {.dy = operand(e), .w = operand(w), .dx = dx.raw(), .workspace = call.space.raw()});
  return dx;
}

static void int8_backward_weight(const Conv2dInt8::Params& p, const Tensor& x, const Tensor& e,
                                 const Tensor& dw, const Tensor& db, bool integer) {
  const Call call(p, Direction::backward_weight, x, e, integer);
  call.kernel.backward_weight(p, call.path,
                              {.x = operand(x),
                               .dy = operand(e),
                               .dw = dw.data<float>(),
                               .db = db.data<float>(),
                               .workspace = call.space.raw()});
}

Tensor block_conv2d(const Tensor& x, Conv2dWeights& weights, const BlockConv2dOptions& o) {
  const Conv2dInt8::Params p = conv2d_params(x, weights, o.conv);
  const Tensor y = x.blocks() ? int8_forward(p, x, weights, o)
                              : quantize(conv2d_forward(p, x, weights, nullptr, o.conv.choice), o.activation,
                                         o.output_rounding);
  const auto gradients = [p, o, saved = weights, x = x.detach(), want_dx = needs_grad(x)](const Tensor& dy) {
    const Tensor e = quantize(dy, o.error, o.error_rounding);
    Tensor dw = grad_buffer(saved.w), db = saved.b.defined() ? grad_buffer(saved.b) : Tensor(), dx;
    if (x.blocks()) {
      int8_backward_weight(p, x, e, dw, db, o.integer);
      if (want_dx) dx = int8_backward_data(p, e, saved, x.shape(), o.integer);
    } else {
      const Tensor de = dense(e);
      conv2d_backward_weight(p, x, de, dw, db, o.conv.choice);
      if (want_dx) dx = conv2d_backward_data(p, saved.w, de, x.shape(), o.conv.choice);
    }
    return std::vector<Tensor>{dx, dw, db};
  };
  return record(y, {x, weights.w, weights.b}, gradients);
}

}  // namespace eb::engine
