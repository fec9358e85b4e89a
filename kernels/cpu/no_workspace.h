// workspace_bytes of the families whose temporaries, a few numbers a channel or a chunk, come from the heap.
#pragma once
#include <cstddef>

namespace eb::kernels::cpu {

template <class... Arguments>
size_t no_workspace(Arguments...) {
  return 0;
}

}  // namespace eb::kernels::cpu
