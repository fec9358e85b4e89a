#include "data/prefetch.h"

#include <algorithm>
#include <utility>

namespace eb::data {

void Slot::resize(int64_t size, size_t image_bytes) {
  pixels.resize(size * image_bytes);
  labels.resize(size);
  ids.resize(size);
  bad.assign(size, -1);
}

Prefetch::Prefetch(const Plan& plan, Work work)
    : plan_(plan), work_(std::move(work)), ring_(depth), filling_(plan.first), current_(plan.first) {
  for (int64_t b = plan.first; b < std::min(plan.first + depth, plan.batches); ++b) prepare(b);
  for (int t = 0; t < plan.workers; ++t) threads_.emplace_back([this] { run(); });
}

Prefetch::~Prefetch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  room_.notify_all();
}

void Prefetch::prepare(int64_t batch) {
  Entry& e = entry(batch);
  e.slot.resize(plan_.size_of(batch), plan_.image_bytes);
  e.handed_out = e.done = 0;
  e.failed_at = -1;
  e.error = nullptr;
}

// Waits for room; false when there is nothing left to do.
bool Prefetch::take(int64_t& batch, int64_t& position) {
  std::unique_lock lock(mutex_);
  // The consumer still reads batch current_ - 1, so its place in the ring is not free.
  const auto oldest = [&] { return std::max(plan_.first, current_ - 1); };
  room_.wait(lock, [&] {
    while (filling_ < plan_.batches && plan_.size_of(filling_) == 0) ++filling_;
    return stop_ || filling_ >= plan_.batches || filling_ < oldest() + depth;
  });
  if (stop_ || filling_ >= plan_.batches) return false;
  batch = filling_;
  position = entry(batch).handed_out++;
  if (entry(batch).handed_out == plan_.size_of(batch)) ++filling_;
  if (filling_ >= plan_.batches) room_.notify_all();
  return true;
}

void Prefetch::finish(int64_t batch, int64_t position, std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  Entry& e = entry(batch);
  if (error && (e.failed_at < 0 || position < e.failed_at)) {
    e.failed_at = position;
    e.error = error;
  }
  if (++e.done == plan_.size_of(batch)) ready_.notify_all();
}

void Prefetch::run() {
  for (int64_t batch, position; take(batch, position);) {
    std::exception_ptr error;
    try {
      work_(batch, position, entry(batch).slot);
    } catch (...) {
      error = std::current_exception();
    }
    finish(batch, position, error);
  }
}

Slot& Prefetch::next() {
  std::unique_lock lock(mutex_);
  const int64_t batch = current_++;
  const int64_t returned = batch - 1;
  if (returned >= plan_.first && returned + depth < plan_.batches) prepare(returned + depth);
  room_.notify_all();
  Entry& e = entry(batch);
  ready_.wait(lock, [&] { return e.done == plan_.size_of(batch); });
  if (e.error) std::rethrow_exception(e.error);
  return e.slot;
}

}  // namespace eb::data
