// One fused update of the whole parameter arena (docs/method.md 4.1; PyTorch's SGD with dampening 0):
//   g = scale * grad + l1 * sign(w) + weight_decay * w;  v = momentum * v + g;  w -= lr * (nesterov ? g +
//   momentum * v : v)
// sign(0) = 0. lr and scale come from a Control on the device, so that they may change between replays of a
// captured step. If its finite flag is 0 nothing is written: a bad step is never applied.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Sgd {
  struct Params {
    float momentum = 0.9f;
    bool nesterov = false;
    bool prepared = false;  // grad has been through prepare: scale and l1 are in it
  };
  struct Control {
    float lr = 0.f, grad_scale = 1.f;
    int32_t finite = 1;
  };
  struct Segment {  // a range of the arena with its own regularisation
    int64_t offset, count;
    float weight_decay, l1;
  };
  // For updates that do something to the gradient before weight decay (docs/method.md 5.2), in place:
  //   grad = scale * grad + l1 * sign(master)
  void (*prepare)(const Segment* segments, int64_t n_segments, const Control* control, const float* master,
                  float* grad);
  struct Arrays {
    const Segment* segments;  // (n_segments) on the host; all others lie on the device
    int64_t n_segments;
    const Control* control;   // (1)
    const float* grad;        // (arena)
    float* momentum;          // (arena)
    float* master;            // (arena)
    bf16* working = nullptr;  // (arena) a copy of master
  };
  void (*step)(const Params&, const Arrays&);
};

namespace cpu {
extern const Sgd sgd;
}
namespace cuda {
extern const Sgd sgd;
}
inline const Sgd& sgd(Device d) {
  return pick<cpu::sgd, cuda::sgd>(d);
}

}  // namespace eb::kernels
