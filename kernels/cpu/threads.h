// The number of threads CPU kernels use. It never changes a result when Params::deterministic is set.
#pragma once

namespace eb::kernels::cpu {

void set_threads(int threads);  // >= 1
int threads();

}  // namespace eb::kernels::cpu
