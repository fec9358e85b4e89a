// Tape autograd. An op records a closure (dy -> gradients of its inputs) that names what it saved;
// backward(loss) walks the closures once, newest first, and frees each as soon as it ran. Gradient policy:
// backward kernels overwrite a fresh buffer; the tape sums where a tensor has several consumers. A leaf made
// by parameter() owns a slice of the gradient arena: grad_buffer() hands that slice to the first writer of a
// pass, so a parameter used once costs no copy.
#pragma once
#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"

namespace eb::engine {

// One gradient per input, undefined where the input needs none. dy is the gradient of the recorded output; a
// closure may overwrite it and pass it on where reusable() says so.
using Backward = std::function<std::vector<Tensor>(const Tensor& dy)>;

struct TapeNode {
  uint64_t order = 0;  // creation order: a topological order
  std::vector<std::shared_ptr<TapeNode>>
      inputs;            // null where an input needs no gradient; never their storage
  Backward backward;     // empty for a leaf
  Tensor grad;           // leaf: slice of the gradient arena
  bool written = false;  // leaf: grad holds this pass's first contribution
  ~TapeNode();
};

// y with a tape entry, or y as it is if recording is off or no input needs a gradient.
Tensor record(Tensor y, const std::vector<Tensor>& inputs, Backward backward);
// A leaf whose gradient lands in `grad`.
Tensor parameter(Tensor value, Tensor grad);
bool needs_grad(const Tensor& t);
// Where an op should write the gradient of input t: the leaf's arena slice if still unwritten, else a fresh
// tensor.
Tensor grad_buffer(const Tensor& t);
// dy itself if nothing else reads it, else a fresh tensor like it: where a closure writes a gradient of dy's
// shape.
Tensor reusable(const Tensor& dy);
// loss must be a scalar; its gradient is 1. Leaves not reached keep their grad and stay unwritten.
void backward(const Tensor& loss);

// Recording is on by default; this turns it off for a scope (evaluation).
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace eb::engine
