// Recording on the emulated device: launches and device copies are kept as closures over their arguments. The
// same mistakes show as on a card: a host copy while recording, memory that was given back before the replay.
#include "kernels/capture.h"

#include <cstdlib>
#include <memory>
#include <string>

#include "kernels/device_error.h"
#include "kernels/emulated/grid.h"

namespace eb::kernels::emulated {

namespace {

struct Recording {
  std::vector<std::function<void()>> operations;
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
}

void* end() {
  return open.release();
}

void abandon() {
  open.reset();
}

void replay(void* recording) {
  refuse_while_recording("replay");
  for (const auto& operation : static_cast<Recording*>(recording)->operations) operation();
}

void destroy(void* recording) {
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
  if (recording()) throw EmulationError(std::string("[") + what + "] while a sequence is recorded");
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
  recording() ? record(run) : run();
}

}  // namespace eb::kernels::emulated

namespace eb::kernels::cuda {

using namespace emulated;
const Capture capture{.begin = begin, .end = end, .abandon = abandon, .replay = replay, .destroy = destroy};

}  // namespace eb::kernels::cuda
