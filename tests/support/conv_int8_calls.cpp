#include "support/conv_int8_calls.h"

namespace eb::test {

static kernels::Conv2dInt8::Operand operand(Staged& on, const Blocks& a) {
  return {on(a.codes), on(a.exponents), a.block, a.bits};
}

ConvInt8::Output ConvInt8::forward(Path path, const Blocks& x, const Blocks& w, const Floats& b) const {
  Output out{Values(p.dtype, p.n * p.out_h() * p.out_w() * p.k), std::vector<uint32_t>(p.n, 77)};
  const Scratch workspace(device, kernel.workspace_bytes(p, Direction::forward, path));
  {
    Staged on;
    kernel.forward(p, path,
                   {.x = operand(on, x),
                    .w = operand(on, w),
                    .b = b.empty() ? nullptr : on(b),
                    .y = on(out.y),
                    .largest = on(out.largest),
                    .workspace = workspace.get()});
  }
  return out;
}

Values ConvInt8::backward_data(Path path, const Blocks& dy, const Blocks& w) const {
  Values dx(p.dtype, p.n * p.h * p.w * p.c);
  const Scratch workspace(device, kernel.workspace_bytes(p, Direction::backward_data, path));
  {
    Staged on;
    kernel.backward_data(
        p, path, {.dy = operand(on, dy), .w = operand(on, w), .dx = on(dx), .workspace = workspace.get()});
  }
  return dx;
}

std::pair<Floats, Floats> ConvInt8::backward_weight(Path path, const Blocks& x, const Blocks& dy) const {
  Floats dw(p.k * p.r * p.s * (p.c / p.groups), NAN), db(p.k, NAN);
  const Scratch workspace(device, kernel.workspace_bytes(p, Direction::backward_weight, path));
  {
    Staged on;
    kernel.backward_weight(p, path,
                           {.x = operand(on, x),
                            .dy = operand(on, dy),
                            .dw = on(dw),
                            .db = on(db),
                            .workspace = workspace.get()});
  }
  return {dw, db};
}

}  // namespace eb::test
