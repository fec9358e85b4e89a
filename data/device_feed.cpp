#include "data/device_feed.h"

#include "kernels/side_copies.h"

namespace eb::data {

using engine::DType;
using engine::Tensor;

void DeviceFeed::keep(const Ids& ids, size_t image_bytes, const Load& load) {
  constexpr size_t chunk_bytes = size_t{16} << 20;
  const auto n = static_cast<int64_t>(ids.size());
  const auto per_chunk = std::max<int64_t>(1, static_cast<int64_t>(chunk_bytes / image_bytes));
  const Tensor all = Tensor::empty({n * static_cast<int64_t>(image_bytes)}, DType::u8, device_);
  std::vector<uint8_t> chunk;
  for (int64_t first = 0; first < n; first += per_chunk) {
    const int64_t size = std::min(per_chunk, n - first);
    chunk.resize(static_cast<size_t>(size) * image_bytes);
    for (int64_t i = 0; i < size; ++i) {
      const int64_t id = ids[static_cast<size_t>(first + i)];
      row_[id] = first + i;
      shown_.push_back(load(id, chunk.data() + static_cast<size_t>(i) * image_bytes));
    }
    kernels::memory(device_).to_device(all.data<uint8_t>() + static_cast<size_t>(first) * image_bytes,
                                       chunk.data(), chunk.size());
  }
  pixels_ = all;
}

template <class T>
static void send(const std::vector<T>& host, Tensor& there, DType dtype, engine::Device device) {
  if (!there.defined() || there.size() != static_cast<int64_t>(host.size()))
    there = Tensor::empty({static_cast<int64_t>(host.size())}, dtype, device);
  kernels::memory(device).to_device(there.raw(), host.data(), there.bytes());
}

void DeviceFeed::start(const Ids& order, const Dataset& dataset) {
  std::vector<int64_t> rows, ids;
  std::vector<int32_t> labels;
  for (const int64_t wanted : order) {
    rows.push_back(row_.at(wanted));
    ids.push_back(shown_for(wanted));
    labels.push_back(dataset.label(ids.back()));
  }
  send(rows, epoch_rows_, DType::i64, device_);
  send(ids, epoch_ids_, DType::i64, device_);
  send(labels, epoch_labels_, DType::i32, device_);
}

DeviceFeed::Buffers& DeviceFeed::buffers(const kernels::Image::Params& p) {
  Buffers& b = buffers_[p.n];
  if (b.images.defined()) return b;
  b.images = Tensor::empty({p.n, p.out_h, p.out_w, p.c}, p.dtype, device_);
  b.labels = Tensor::empty({p.n}, DType::i32, device_);
  if (resident()) return b;
  b.pixels = Tensor::empty({p.n, p.h, p.w, p.c}, DType::u8, device_);
  b.ids = Tensor::empty({p.n}, DType::i64, device_);
  b.sent_labels = Tensor::empty({p.n}, DType::i32, device_);
  kernels::side_copies(device_).release();  // whoever had these blocks before may not be done with them
  return b;
}

// Beside what the device does: the step before reads none of this.
void DeviceFeed::send_batch(const Slot& slot, Buffers& b) {
  const auto& copies = kernels::side_copies(device_);
  copies.send(b.pixels.raw(), slot.pixels.data(), b.pixels.bytes());
  copies.send(b.ids.raw(), slot.ids.data(), b.ids.bytes());
  copies.send(b.sent_labels.raw(), slot.labels.data(), b.sent_labels.bytes());
  copies.arrive();
}

void DeviceFeed::make_batch(const kernels::Image::Params& p, const Slot& slot, int64_t first,
                            engine::Batch& batch) {
  Buffers& b = buffers(p);
  const auto& kernel = kernels::image(device_);
  if (resident()) {
    kernel.crop_flip_normalize(p, pixels_.data<uint8_t>(), epoch_rows_.data<int64_t>() + first,
                               epoch_ids_.data<int64_t>() + first, b.images.raw());
    kernels::memory(device_).copy(b.labels.raw(), epoch_labels_.data<int32_t>() + first, b.labels.bytes());
  } else {
    send_batch(slot, b);
    kernel.crop_flip_normalize(p, b.pixels.data<uint8_t>(), nullptr, b.ids.data<int64_t>(), b.images.raw());
    b.labels.copy_from(b.sent_labels);
    kernels::side_copies(device_).release();
  }
  batch.images = b.images;
  batch.labels = b.labels;
}

}  // namespace eb::data
