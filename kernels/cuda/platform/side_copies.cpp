#include "kernels/side_copies.h"

#include "kernels/capture_guard.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/cuda/platform/staging.h"

namespace eb::kernels::cuda {

namespace {

// Never destroyed, as the stream of the kernels.
struct Queue {
  cudaStream_t stream = nullptr;
  cudaEvent_t sent = nullptr, read = nullptr;
  Queue() {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create the stream of copies");
    for (cudaEvent_t* event : {&sent, &read})
      check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "create the stream of copies");
  }
};

Queue& queue() {
  static Queue* const instance = new Queue;
  return *instance;
}

// A wait keeps what the event was recorded for at that moment, so one event serves all calls.
void wait(cudaStream_t waiting, cudaStream_t for_work_of, cudaEvent_t event, const char* what) {
  refuse_while_capturing(what);
  check(cudaEventRecord(event, for_work_of), what);
  check(cudaStreamWaitEvent(waiting, event, 0), what);
}

void send(void* device, const void* host, size_t bytes) {
  staging().copy(device, host, bytes, queue().stream);
}

void arrive() {
  wait(stream(), queue().stream, queue().sent, "arrival of copies");
}

void release() {
  wait(queue().stream, stream(), queue().read, "release for copies");
}

}  // namespace

const SideCopies side_copies{.send = send, .arrive = arrive, .release = release};

}  // namespace eb::kernels::cuda
