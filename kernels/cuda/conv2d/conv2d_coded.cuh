// The exact path of the int8 convolutions on the bf16 tiles of every card: the loaders expand codes of blocks
// of any shape on their way to shared memory, so memory holds and moves one byte an element. A source for
// each direction (conv2d_coded_*.cu): each compiles for half a minute.
#pragma once
#include "kernels/cuda/conv2d/conv2d_int8.cuh"

namespace eb::kernels::cuda {

// Whether a load of eight codes meets one block wherever it starts.
inline bool in_eights(const Conv2dInt8::Operand& o, int64_t channels) {
  return channels % 8 == 0 && o.block % 8 == 0;
}

// f.operator()<Out, width>(): the type of the result, codes a load.
template <class F>
void by_out_and_width(const Conv2d::Params& p, bool wide, F&& f) {
  by_dtype(p.dtype,
           [&]<class Out>() { wide ? f.template operator()<Out, 8>() : f.template operator()<Out, 1>(); });
}

}  // namespace eb::kernels::cuda
