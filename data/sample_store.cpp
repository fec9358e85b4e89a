#include "data/sample_store.h"

#include <algorithm>
#include <atomic>

#include "data/resize.h"
#include "engine/base/error.h"

namespace eb::data {

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
  std::atomic<size_t> bytes{0};
  const auto decode_one = [&](int64_t i) {
    if (bytes > limit) return;
    Entry& entry = cache_[ids[i]] = try_prepare(ids[i]);
    bytes += entry.image.bytes();
  };
  each_sample(static_cast<int64_t>(ids.size()), decode_one, "decoding", message);
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
