// A failure that is no Error, as the error that a user sees.
#pragma once
#include <new>

#include "engine/base/error.h"
#include "kernels/device_error.h"

namespace eb::tools {

// 6002 where it had no room, 1002 if it is lost, else 1001.
Error error_of(const kernels::DeviceError& e);
Error error_of(const std::bad_alloc&);  // 6001

}  // namespace eb::tools
