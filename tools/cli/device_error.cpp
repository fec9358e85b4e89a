#include "tools/cli/device_error.h"

#include "engine/base/error_codes.h"
#include "kernels/room.h"

namespace eb::tools {

Error error_of(const kernels::DeviceError& e) {
  const std::string what = e.what();
  if (dynamic_cast<const kernels::DeviceMemoryError*>(&e))
    return Error(errors::out_of_device_memory, "out of memory on the device, beside that of tensors: " + what,
                 "a smaller train.batch_size, or a cuda.memory_mib that leaves more of the card free");
  if (e.lost)
    return Error(errors::device_lost, "the device is lost: " + what,
                 "the last checkpoint is intact; --resume auto goes on from it once the card answers "
                 "(nvidia-smi)");
  return Error(errors::kernel_failed, "a kernel failed: " + what,
               "the last checkpoint is intact; the same command with EB_CUDA_SYNC=1 names the kernel that "
               "failed, please report it");
}

Error error_of(const std::bad_alloc&) {
  return Error(errors::out_of_memory, "out of memory", "a smaller train.batch_size needs less");
}

}  // namespace eb::tools
