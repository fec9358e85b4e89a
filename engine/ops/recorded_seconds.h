// How long a piece of a training step takes on a device, as it runs there.
#pragma once
#include <functional>

#include "kernels/dtype.h"

namespace eb::engine {

// Where the device records, `work` is recorded and replayed twice; the first replay keeps the device busy
// until the host has queued the second, whose time it is, so launches and allocations by the host are not in
// it. Elsewhere `work` is called once. It must have been called before, and repeating it must change nothing.
// An error while something else is being recorded.
double recorded_seconds(kernels::Device device, const std::function<void()>& work);

}  // namespace eb::engine
