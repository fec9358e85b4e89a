// Recording on the emulated device: launches and device copies are kept as closures over their arguments. The
// same mistakes show as on a card: a host copy while recording, memory that was given back before the replay.
#include "kernels/capture.h"

#include <cstdlib>
#include <memory>
#include <string>

#include "kernels/capture_guard.h"
#include "kernels/device_error.h"
#include "kernels/emulated/grid.h"
#include "kernels/emulated/queues.h"
#include "kernels/memory.h"
#include "kernels/room.h"

namespace eb::kernels::emulated {

namespace {

// It takes memory of the device, as a graph does.
struct Recording {
  std::vector<std::function<void()>> operations;
  void* room = nullptr;

  ~Recording() { cuda::memory.release(room); }
  bool take_room() {
    try {
      room = cuda::memory.allocate(256 * operations.size());
    } catch (const std::bad_alloc&) {
    }
    return room;
  }
};

thread_local std::unique_ptr<Recording> open;

struct PlannedFailure {
  std::string kernel;
  int after = -1;
  bool lost = false, for_good = false;
};
// EB_EMULATED_FAIL=KERNEL:AFTER plans one from outside, for tests of whole programs. As on a card, every call
// after it fails too.
PlannedFailure from_environment() {
  const char* value = std::getenv("EB_EMULATED_FAIL");
  const std::string text = value ? value : "";
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return {};
  return {text.substr(0, colon), std::atoi(text.c_str() + colon + 1), false, true};
}

PlannedFailure planned = from_environment();
bool broken = false;

void fail_if_planned(const char* kernel) {
  if (planned.after < 0 || planned.kernel != kernel || planned.after-- > 0) return;
  broken = planned.for_good;
  throw DeviceError(std::string("[") + kernel + "] failed on purpose", planned.lost);
}

void begin() {
  refuse_while_recording("begin capture");
  open = std::make_unique<Recording>();
  capturing = true;
}

void* end() {
  capturing = false;
  auto recording = std::move(open);
  if (!with_room([&] { return recording->take_room(); }))
    throw DeviceMemoryError("[instantiate the captured step] no room on the device");
  return recording.release();
}

void abandon() {
  capturing = false;
  open.reset();
}

// One launch of a card: which kernel of it failed nobody knows.
void replay(void* recording) {
  refuse_while_recording("replay");
  queue_work([recording] {
    try {
      for (const auto& operation : static_cast<Recording*>(recording)->operations) operation();
    } catch (const DeviceError& e) {
      throw DeviceError("[replay the captured step] a kernel failed", e.lost);
    }
  });
}

void destroy(void* recording) {
  finish_queues_quietly();
  delete static_cast<Recording*>(recording);
}

}  // namespace

bool recording() {
  return open != nullptr;
}

void record(std::function<void()> operation) {
  open->operations.push_back(std::move(operation));
}

void fail_if_broken(const char* what) {
  if (broken) throw DeviceError(std::string("[") + what + "] an earlier kernel failed", false);
}

void refuse_while_recording(const char* what) {
  fail_if_broken(what);
  refuse_while_capturing(what);
}

void fail_launch(const char* kernel, int after, bool lost) {
  planned = {kernel, after, lost};
}

void submit(const char* kernel, const Index3& grid, const Index3& threads, size_t shared_bytes,
            std::function<void()> thread_body) {
  const auto run = [=, body = std::move(thread_body)] {
    fail_if_broken(kernel);
    fail_if_planned(kernel);
    run_grid(kernel, grid, threads, shared_bytes, body);
  };
  recording() ? record(run) : queue_work(run);
}

}  // namespace eb::kernels::emulated

namespace eb::kernels::cuda {

using namespace emulated;
const Capture capture{.begin = begin, .end = end, .abandon = abandon, .replay = replay, .destroy = destroy};

}  // namespace eb::kernels::cuda
