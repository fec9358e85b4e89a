// Batches made on a device: the data set lies there as uint8 and a batch is gathered, cropped, flipped and
// normalised by one kernel; or, where it does not fit, the uint8 pixels of each batch are sent ahead, beside
// the step before. Augmented batches never cross from the host.
#pragma once
#include <functional>
#include <map>
#include <unordered_map>

#include "data/dataset.h"
#include "data/order.h"
#include "data/prefetch.h"
#include "engine/train/batch.h"
#include "kernels/image.h"

namespace eb::data {

class DeviceFeed {
 public:
  // Writes the pixels of sample `id`, or of what stands in for it; returns whose they are.
  using Load = std::function<int64_t(int64_t id, uint8_t* out)>;

  explicit DeviceFeed(engine::Device device) : device_(device) {}

  // Copies all samples to the device. Error 6002 if it has no room.
  void keep(const Ids& ids, size_t image_bytes, const Load& load);
  bool resident() const { return pixels_.defined(); }
  int64_t shown_for(int64_t id) const { return shown_[static_cast<size_t>(row_.at(id))]; }

  // Resident data: sends the epoch's order ahead.
  void start(const Ids& order, const Dataset& dataset);
  // first: position of the batch in the epoch. Fills images and labels, the same tensors for each batch of
  // one size.
  void make_batch(const kernels::Image::Params& p, const Slot& slot, int64_t first, engine::Batch& batch);

 private:
  struct Buffers {
    engine::Tensor images, labels;            // what a step reads
    engine::Tensor pixels, ids, sent_labels;  // what is sent, and made into the others before the step
  };
  Buffers& buffers(const kernels::Image::Params& p);
  void send_batch(const Slot& slot, Buffers& b);

  engine::Device device_;
  engine::Tensor pixels_;                                 // (samples, H, W, 3) u8
  std::unordered_map<int64_t, int64_t> row_;              // of a sample in pixels_
  std::vector<int64_t> shown_;                            // by row
  engine::Tensor epoch_rows_, epoch_ids_, epoch_labels_;  // in the epoch's order
  std::map<int64_t, Buffers> buffers_;                    // by batch size
};

}  // namespace eb::data
