#include "data/sample_store.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "data/resize.h"
#include "engine/error.h"

namespace eb::data {

int available_cores() {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof mine, &mine) == 0 ? std::max(1, CPU_COUNT(&mine)) : 1;
}

SampleStore::SampleStore(std::shared_ptr<const Dataset> dataset, Preparation preparation)
    : dataset_(std::move(dataset)), preparation_(preparation) {}

Image SampleStore::prepare(int64_t id) const {
  Image image = dataset_->image(id, preparation_.short_side);
  if (preparation_.resize == 0) return image;
  return resize_and_center_crop(image, preparation_.resize, preparation_.center_crop);
}

SampleStore::Entry SampleStore::try_prepare(int64_t id) const {
  try {
    return {prepare(id), nullptr};
  } catch (const Error&) {
    return {Image(), std::current_exception()};
  }
}

const Image& SampleStore::get(int64_t id, Image& scratch) const {
  if (!cached()) return scratch = prepare(id);
  const Entry& entry = cache_[id];
  if (entry.error) std::rethrow_exception(entry.error);
  return entry.image;
}

size_t SampleStore::estimate(const Ids& ids) const {
  constexpr size_t probes = 16;
  size_t bytes = 0, good = 0;
  const size_t step = std::max<size_t>(1, ids.size() / probes);
  for (size_t i = 0; i < ids.size(); i += step) {
    const Entry e = try_prepare(ids[i]);
    bytes += e.image.bytes();
    good += e.error ? 0 : 1;
  }
  return good == 0 ? 0 : bytes / good * ids.size();
}

// False if the images grow past `limit`.
bool SampleStore::fill(const Ids& ids, size_t limit, const Message& message) {
  cache_.resize(dataset_->size());
  std::atomic<size_t> next{0}, bytes{0}, done{0};
  const auto work = [&] {
    for (size_t i; bytes <= limit && (i = next++) < ids.size(); ++done) {
      cache_[ids[i]] = try_prepare(ids[i]);
      bytes += cache_[ids[i]].image.bytes();
    }
  };
  std::atomic<int> running{available_cores()};
  std::vector<std::jthread> threads;
  for (int t = running; t > 0; --t) threads.emplace_back([&] { work(), --running; });
  for (auto said = std::chrono::steady_clock::now(); running > 0;
       std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
    if (!message || std::chrono::steady_clock::now() - said < std::chrono::seconds(2)) continue;
    message("decoding " + std::to_string(done) + " of " + std::to_string(ids.size()) + " images");
    said = std::chrono::steady_clock::now();
  }
  return bytes <= limit;
}

size_t SampleStore::cache(const Ids& ids, size_t limit, bool keep_errors, const Message& message) {
  if (estimate(ids) > limit || !fill(ids, limit, message)) {
    cache_.clear();
    cache_.shrink_to_fit();
    return 0;
  }
  size_t bytes = 0;
  for (const int64_t id : ids) {
    if (cache_[id].error && !keep_errors) std::rethrow_exception(cache_[id].error);
    bytes += cache_[id].image.bytes();
  }
  return bytes;
}

}  // namespace eb::data
