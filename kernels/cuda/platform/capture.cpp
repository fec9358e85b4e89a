#include "kernels/capture.h"

#include "kernels/capture_guard.h"
#include "kernels/cuda/platform/call_with_room.h"
#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

// Relaxed: an allocation by this or another thread does not end the capture.
void begin() {
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "begin capture");
  capturing = true;
}

void* end() {
  capturing = false;
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream(), &graph), "end capture");
  cudaGraphExec_t recording = nullptr;
  const cudaError_t code = call_with_room([&] { return cudaGraphInstantiate(&recording, graph, 0); });
  cudaGraphDestroy(graph);
  check(code, "instantiate the captured step");
  return recording;
}

void abandon() {
  capturing = false;
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream(), &graph);
  if (graph) cudaGraphDestroy(graph);
  cudaGetLastError();
}

void replay(void* recording) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream()), "replay the captured step");
}

// At exit the driver may be gone, and after a failed kernel every call fails.
void destroy(void* recording) {
  cudaStreamSynchronize(stream());
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
  cudaGetLastError();
}

}  // namespace

const Capture capture{.begin = begin, .end = end, .abandon = abandon, .replay = replay, .destroy = destroy};

}  // namespace eb::kernels::cuda
