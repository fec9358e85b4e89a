#include "data/loader.h"

#include <algorithm>
#include <cstring>

#include "data/resize.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "kernels/image.h"

namespace eb::data {

Loader::Loader(std::shared_ptr<const SampleStore> store, Ids ids, const Transform& transform,
               const LoaderOptions& options)
    : store_(std::move(store)), ids_(std::move(ids)), transform_(transform), options_(options) {
  find_size();
}

void Loader::find_size() {
  if (transform_.resized_crop) {
    height_ = width_ = transform_.image_size;
    return;
  }
  Image scratch;
  for (size_t i = 0; i < ids_.size() && height_ == 0; ++i) {
    try {
      const Image& image = store_->get(ids_[i], scratch);
      height_ = image.height;
      width_ = image.width;
    } catch (const Error&) {
      if (!options_.skip_bad_samples || i + 1 == ids_.size()) throw;
    }
  }
}

void Loader::leave_out_bad(const Message& message) {
  std::vector<uint8_t> good(ids_.size());
  const size_t bytes = size_t{3} * height_ * width_;
  const auto try_one = [&](int64_t i) {
    try {
      std::vector<uint8_t> pixels(bytes);
      load_pixels(ids_[i], pixels.data());
      good[i] = 1;
    } catch (const Error&) {
    }
  };
  each_sample(samples(), try_one, "checking", message);
  Ids left;
  for (size_t i = 0; i < ids_.size(); ++i)
    if (good[i])
      left.push_back(ids_[i]);
    else
      bad_.insert(ids_[i]);
  if (left.empty()) load_pixels(ids_.front(), std::vector<uint8_t>(bytes).data());
  limit_bad();
  ids_ = std::move(left);
}

int64_t Loader::batches_per_epoch() const {
  const int64_t whole = samples() / options_.batch_size, rest = samples() % options_.batch_size;
  return whole + (rest >= options_.least_last);
}

void Loader::start(int64_t epoch, int64_t first_batch) {
  prefetch_.reset();
  epoch_ = epoch;
  next_ = first_batch;
  order_ = transform_.shuffle ? shuffled(ids_, options_.seed, epoch) : ids_;
  if (feed_ && feed_->resident()) return feed_->start(order_, dataset());
  // Copying from the cache takes less than handing the work to a thread would.
  const bool here = options_.workers == 0 || (store_->cached() && !transform_.resized_crop);
  if (here || next_ >= batches_per_epoch()) return;
  const Prefetch::Plan plan{options_.workers, next_, batches_per_epoch(),
                            [this](int64_t batch) { return share(batch).size(); },
                            size_t{3} * height_ * width_};
  prefetch_ = std::make_unique<Prefetch>(
      plan, [this](int64_t batch, int64_t position, Slot& slot) { load(batch, position, slot); });
}

// Samples of a batch, over all ranks.
int64_t Loader::whole(int64_t batch) const {
  return std::min(options_.batch_size, samples() - batch * options_.batch_size);
}

// This rank's, as places in the epoch's order.
engine::Range Loader::share(int64_t batch) const {
  const int64_t first = batch * options_.batch_size;
  const engine::Range mine =
      options_.share ? options_.share(batch, whole(batch)) : engine::Range{0, whole(batch)};
  return {first + mine.first, first + mine.last};
}

void Loader::load_pixels(int64_t id, uint8_t* out) const {
  thread_local Image scratch;
  const Image& image = store_->get(id, scratch);
  if (transform_.resized_crop) {
    resize(image, random_resized_crop(image.width, image.height, options_.seed, epoch_, id), width_, height_,
           out);
    return;
  }
  if (image.width != width_ || image.height != height_)
    throw Error(errors::image_sizes_differ,
                dataset().describe(id) + ": " + std::to_string(image.width) + " x " +
                    std::to_string(image.height) + " pixels, the images before it have " +
                    std::to_string(width_) + " x " + std::to_string(height_),
                "add random_resized_crop to data.augment, which scales all to data.image_size");
  std::memcpy(out, image.rgb.data(), image.bytes());
}

// The sample `wanted`, or what stands in for it if it is bad; returns whose pixels they are.
int64_t Loader::load(int64_t wanted, uint8_t* out) const {
  constexpr int attempts = 100;
  int64_t id = wanted;
  for (int attempt = 0;; ++attempt) {
    try {
      load_pixels(id, out);
      return id;
    } catch (const Error&) {
      if (!options_.skip_bad_samples || attempt == attempts) throw;
      id = stand_in(ids_, wanted, attempt, options_.seed);
    }
  }
}

void Loader::load(int64_t batch, int64_t position, Slot& slot) const {
  const int64_t wanted = order_[share(batch).first + position];
  const int64_t id = load(wanted, slot.pixels.data() + position * size_t{3} * height_ * width_);
  if (id != wanted) slot.bad[position] = wanted;
  slot.ids[position] = id;
  slot.labels[position] = dataset().label(id);
}

void Loader::keep_on_device(const Message& message) {
  if (options_.device == engine::Device::cpu) return;
  feed_.emplace(options_.device);
  if (!store_->cached() || transform_.resized_crop) return;
  try {
    feed_->keep(ids_, size_t{3} * height_ * width_,
                [this](int64_t id, uint8_t* out) { return load(id, out); });
  } catch (const Error& e) {
    if (e.code() != errors::out_of_device_memory) throw;
    feed_.emplace(options_.device);
    if (message) message("the data set stays in host memory: no room on the device");
  }
}

Slot& Loader::fill_here(int64_t batch) {
  const int64_t size = share(batch).size();
  slot_.resize(size, size_t{3} * height_ * width_);
  for (int64_t p = 0; p < size; ++p) load(batch, p, slot_);
  return slot_;
}

void Loader::count_bad(const Slot& slot) {
  for (const int64_t id : slot.bad)
    if (id >= 0) bad_.insert(id);
  limit_bad();
}

void Loader::limit_bad() const {
  if (static_cast<int64_t>(bad_.size()) <= options_.max_bad) return;
  throw Error(errors::too_many_bad_samples,
              std::to_string(bad_.size()) + " bad samples, data.max_bad is " +
                  std::to_string(options_.max_bad) + "; one is " + dataset().describe(*bad_.rbegin()),
              "eb_engine data verify lists them all");
}

std::vector<std::string> Loader::bad_samples() const {
  std::vector<std::string> all;
  for (const int64_t id : bad_) all.push_back(dataset().describe(id));
  return all;
}

kernels::Image::Params Loader::augmentation(int64_t n) const {
  kernels::Image::Params p{
      .dtype = options_.dtype, .n = n, .h = height_, .w = width_, .c = 3, .out_h = height_, .out_w = width_};
  p.pad = transform_.pad_crop ? 4 : 0;
  p.random_crop = transform_.pad_crop;
  p.random_flip = transform_.flip;
  std::copy_n(transform_.mean, 3, p.mean);
  std::copy_n(transform_.std, 3, p.std);
  p.seed = options_.seed;
  p.epoch = static_cast<uint32_t>(epoch_);
  return p;
}

void Loader::to_batch(const Slot& slot, engine::Batch& batch) {
  const auto n = static_cast<int64_t>(slot.ids.size());
  const kernels::Image::Params p = augmentation(n);
  batch.ids = slot.ids;
  batch.total = whole(next_ - 1);
  if (n == 0) {
    batch.images = batch.labels = {};
    return;
  }
  if (feed_) {
    feed_->make_batch(p, slot, share(next_ - 1).first, batch);
    return;
  }
  batch.images = engine::Tensor::empty({n, height_, width_, 3}, options_.dtype);
  batch.labels = engine::Tensor::empty({n}, engine::DType::i32);
  kernels::image(engine::Device::cpu)
      .crop_flip_normalize(p, slot.pixels.data(), nullptr, slot.ids.data(), batch.images.raw());
  std::memcpy(batch.labels.raw(), slot.labels.data(), batch.labels.bytes());
}

// The samples of the next batch; their pixels lie on the device.
const Slot& Loader::name_resident() {
  const engine::Range mine = share(next_);
  slot_.resize(mine.size(), 0);
  for (int64_t i = 0; i < mine.size(); ++i) {
    const int64_t wanted = order_[mine.first + i];
    slot_.ids[i] = feed_->shown_for(wanted);
    if (slot_.ids[i] != wanted) slot_.bad[i] = wanted;
  }
  return slot_;
}

bool Loader::next(engine::Batch& batch) {
  if (order_.empty()) start(0, 0);
  if (next_ >= batches_per_epoch()) return false;
  const bool resident = feed_ && feed_->resident();
  const Slot& slot = prefetch_ ? prefetch_->next() : resident ? name_resident() : fill_here(next_);
  ++next_;
  count_bad(slot);
  to_batch(slot, batch);
  return true;
}

}  // namespace eb::data
