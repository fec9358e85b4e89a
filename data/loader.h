// Batches of a data set: order, decoding, augmentation. The same batches for any number of workers, with or
// without the cache: everything random is named by (seed, epoch, sample id).
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "data/device_feed.h"
#include "data/prefetch.h"
#include "data/sample_store.h"
#include "engine/train/batch.h"
#include "engine/train/data_parallel.h"

namespace eb::engine {
struct Graph;
}

namespace eb::data {

// What happens to a prepared sample on its way into a batch.
struct Transform {
  bool shuffle = false, pad_crop = false, flip = false, resized_crop = false;
  int image_size = 0;  // of resized_crop
  float mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};
};

struct LoaderOptions {
  int64_t batch_size = 1;
  engine::DType dtype = engine::DType::f32;  // of Batch::images
  int workers = 0;                           // 0: in the calling thread
  uint64_t seed = 0;
  bool skip_bad_samples = false;  // others stand in for them
  int64_t max_bad = 0;
  engine::Device device = engine::Device::cpu;  // of the batches; augmentation happens there
  int64_t least_last = 1;                       // images: a smaller last batch of an epoch is left out
  // Positions in a batch of n samples that are this rank's, perhaps none; empty: all of them.
  std::function<engine::Range(int64_t batch, int64_t n)> share = {};
};

class Loader : public engine::BatchSource {
 public:
  // The samples `ids` of the store. Error 3030 if images that have to agree in size do not.
  Loader(std::shared_ptr<const SampleStore> store, Ids ids, const Transform& transform,
         const LoaderOptions& options);

  // For evaluation: reads every sample once, on all cores, and leaves out what cannot be read; it is among
  // bad_samples(). Error 3032 as below; the sample's own error if none can be read.
  void leave_out_bad(const Message& message);

  void start(int64_t epoch, int64_t first_batch) override;
  // Copies the cached samples to the device, so that batches are made there without the host; without a cache
  // or without room there, uint8 batches are sent.
  void keep_on_device(const Message& message);
  // Throws what the data set threw, 3030, or 3032 when more than max_bad samples were bad. On a device the
  // tensors are the same ones in each call, overwritten.
  bool next(engine::Batch& batch) override;
  int64_t batches_per_epoch() const override;
  int64_t samples() const override { return static_cast<int64_t>(ids_.size()); }

  int height() const { return height_; }
  int width() const { return width_; }
  const Dataset& dataset() const { return store_->dataset(); }
  const Ids& ids() const { return ids_; }
  std::vector<std::string> bad_samples() const override;

 private:
  void find_size();
  int64_t load(int64_t wanted, uint8_t* out) const;
  void load(int64_t batch, int64_t position, Slot& slot) const;
  void load_pixels(int64_t id, uint8_t* out) const;
  int64_t whole(int64_t batch) const;
  engine::Range share(int64_t batch) const;
  Slot& fill_here(int64_t batch);
  void count_bad(const Slot& slot);
  void limit_bad() const;
  const Slot& name_resident();
  void to_batch(const Slot& slot, engine::Batch& batch);
  kernels::Image::Params augmentation(int64_t n) const;

  std::shared_ptr<const SampleStore> store_;
  Ids ids_, order_;
  Transform transform_;
  LoaderOptions options_;
  int height_ = 0, width_ = 0;
  int64_t epoch_ = 0, next_ = 0;
  std::set<int64_t> bad_;
  Slot slot_;
  std::optional<DeviceFeed> feed_;      // where batches are made elsewhere
  std::unique_ptr<Prefetch> prefetch_;  // last: its threads use the rest
};

struct Loaders {
  std::unique_ptr<Loader> train, holdout, test;  // holdout is null if data.holdout is 0
  std::string fingerprint;                       // of train and test data
};

// Opens, checks and (if they fit) decodes the data. Error 3003 if they do not fit the graph's classes or
// input size.
// Of training batches each rank gets the samples of its shards, of evaluation every ranks-th batch.
Loaders make_loaders(const DataConfig& config, int64_t batch_size, int64_t eval_batch_size,
                     const engine::Graph& graph, engine::DType dtype, const Message& message = {},
                     engine::Device device = engine::Device::cpu, const engine::DataParallel& parallel = {});
// limit: only so many samples, of every class its share; 0: all.
std::unique_ptr<Loader> make_test_loader(const DataConfig& config, int64_t eval_batch_size,
                                         const engine::Graph& graph, engine::DType dtype,
                                         const Message& message = {},
                                         engine::Device device = engine::Device::cpu, int64_t limit = 0);

}  // namespace eb::data
