#include "kernels/cpu/threads.h"

#include <omp.h>

namespace eb::kernels::cpu {

void set_threads(int threads) {
  omp_set_num_threads(threads);
}
int threads() {
  return omp_get_max_threads();
}

}  // namespace eb::kernels::cpu
