// dw = sum over positions of dy (outer) x, by our own kernel: faster here than oneDNN's (numbers in the
// source), and with the same bits for any number of threads.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cpu {

size_t weight_gradient_workspace(const Conv2d::Params&);
void weight_gradient(const Conv2d::Params&, const void* x, const void* dy, float* dw, void* workspace);

}  // namespace eb::kernels::cpu
