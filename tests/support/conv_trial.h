// A convolution of the op cases on a device.
#pragma once
#include <utility>

#include "support/conv_cases.h"
#include "support/devices.h"
#include "support/oracle_conv.h"

namespace eb::test {

// One case with its inputs, rounded as the kernel sees them, and the calls of our kernel or of a library's.
struct ConvTrial {
  using Direction = kernels::Conv2d::Direction;

  ConvTrial(const ConvCase& shape, kernels::DType dtype, kernels::Device on, const kernels::Conv2d& by)
      : oracle{with(shape.p, dtype)}, device(on), kernel(by) {}
  ConvTrial(const ConvCase& shape, kernels::DType dtype, kernels::Device on)
      : ConvTrial(shape, dtype, on, kernels::conv2d(on)) {}
  static kernels::Conv2d::Params with(kernels::Conv2d::Params p, kernels::DType dtype) {
    p.dtype = dtype;
    p.deterministic = true;
    return p;
  }
  Values forward(bool bias) { return act(Direction::forward, x, oracle.y_size(), bias); }
  Values backward_data() { return act(Direction::backward_data, dy, oracle.x_size(), false); }
  std::pair<Floats, Floats> backward_weight() const {
    Floats dw(oracle.w_size(), NAN), db(p.k, NAN);
    const OnDevice in(device, x), out_gradient(device, dy), dw_there(device, dw), db_there(device, db);
    const Scratch workspace(device, kernel.workspace_bytes(p, Direction::backward_weight));
    kernel.backward_weight(p, {.x = in.get(),
                               .dy = out_gradient.get(),
                               .dw = dw_there.as<float>(),
                               .db = db_there.as<float>(),
                               .workspace = workspace.get()});
    dw_there.fetch(dw);
    db_there.fetch(db);
    return {dw, db};
  }
  Values act(Direction d, const Values& in, int64_t size, bool bias) const {
    Values result(p.dtype, size);
    const OnDevice source(device, in), weights(device, w), b_there(device, b), out(device, result);
    const Scratch packed(device, kernel.packed_bytes(p, d)), workspace(device, kernel.workspace_bytes(p, d));
    kernel.pack(p, d, weights.get(), packed.get(), workspace.get());
    const void* used = kernel.packed_bytes(p, d) ? packed.get() : weights.get();
    if (d == Direction::forward)
      kernel.forward(p, {.x = source.get(),
                         .w = used,
                         .b = bias ? b_there.as<float>() : nullptr,
                         .y = out.get(),
                         .workspace = workspace.get()});
    else
      kernel.backward_data(p, {.dy = source.get(), .w = used, .dx = out.get(), .workspace = workspace.get()});
    out.fetch(result.data());
    return result;
  }

  ConvOracle oracle;
  kernels::Device device;
  const kernels::Conv2d& kernel;
  kernels::Conv2d::Params p = oracle.p;
  Values x{p.dtype, normal(oracle.x_size(), 1)};
  Values w{p.dtype, normal(oracle.w_size(), 2)};
  Values dy{p.dtype, normal(oracle.y_size(), 3)};
  Floats b = to_floats(normal(p.k, 4));
};

}  // namespace eb::test
