// Copies from the host that run beside the kernels, on a queue of their own: the next batch travels while the
// device computes. What orders the two queues is said here and nowhere else:
//   send... arrive()  kernel that reads  release()  other kernels  send... (beside the other kernels)
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct SideCopies {
  // Queues a copy; host may be reused on return. Waits for what was queued before the last release(), and
  // for nothing behind it: memory that other work was given before must be released first.
  void (*send)(void* device, const void* host, size_t bytes);
  void (*arrive)();   // what the device is asked for from now on waits for all that was sent
  void (*release)();  // what is sent from now on waits for all that the device was asked for
};

namespace cpu {
extern const SideCopies side_copies;
}
namespace cuda {
extern const SideCopies side_copies;
}
inline const SideCopies& side_copies(Device d) {
  return pick<cpu::side_copies, cuda::side_copies>(d);
}

}  // namespace eb::kernels
