// A kernel that does nothing: if the build has code of it for a card, it has code of all kernels.
#pragma once

namespace eb::kernels::cuda {

const void* probe_kernel();

}  // namespace eb::kernels::cuda
