// From the config to the three loaders of a run.
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "data/loader.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph.h"
#include "engine/graph/lone_batch_norm.h"

namespace eb::data {
namespace {

// For training photographs are decoded at a fraction of their size as long as this many times image_size
// remain: then even the smallest random crop (8 % of the area at ratio 3/4) is not scaled up.
constexpr int spare_resolution = 4;

Transform transform_of(const DataConfig& c, bool train) {
  Transform t;
  t.shuffle = train;
  t.pad_crop = train && c.augments(Augment::pad4_crop32);
  t.flip = train && c.augments(Augment::hflip);
  t.resized_crop = train && c.augments(Augment::random_resized_crop);
  t.image_size = c.image_size;
  std::copy_n(c.mean, 3, t.mean);
  std::copy_n(c.std, 3, t.std);
  return t;
}

Preparation preparation_of(const DataConfig& c, bool train) {
  if (!c.augments(Augment::random_resized_crop)) return {};
  if (train) return {.short_side = spare_resolution * c.image_size};
  return {.resize = c.image_size * 256 / 224,
          .center_crop = c.image_size};  // in full: the pixels of torchvision
}

LoaderOptions options_of(const DataConfig& c, int64_t batch_size, engine::DType dtype, engine::Device device,
                         const engine::DataParallel& parallel = {}) {
  const int of_host = parallel.world ? parallel.world->local_size() : 1;  // ranks that share its cores
  return {.batch_size = batch_size,
          .dtype = dtype,
          .workers = c.workers.value_or(std::max(1, available_cores() / of_host - 1)),
          .seed = c.seed,
          .skip_bad_samples = c.skip_bad_samples,
          .max_bad = c.max_bad,
          .device = device};
}

void check_classes(const Dataset& data, const engine::Graph& graph) {
  const int64_t classes = graph.nodes[graph.output].c;
  if (data.classes() == classes) return;
  throw Error(
      errors::data_misfit,
      fmt::format("the data have {} classes, the model has {} outputs", data.classes(), classes),
      fmt::format("set model.num_classes to {}, or data.kind and data.root to other data", data.classes()));
}

void check_input(const Loader& loader, const engine::Graph& graph) {
  const engine::Node& in = graph.nodes[0];
  if (in.c == 3 && in.h == loader.height() && in.w == loader.width()) return;
  throw Error(errors::data_misfit,
              fmt::format("images are {} x {} x 3 (height, width, channels), the model wants {} x {} x {}",
                          loader.height(), loader.width(), in.h, in.w, in.c),
              fmt::format("set model.input to [3, {}, {}], or scale photographs by random_resized_crop and "
                          "data.image_size",
                          loader.height(), loader.width()));
}

// A batch norm learns nothing from one image: an epoch's last batch has to be so large that no shard of it is
// one.
int64_t least_last_batch(int64_t images, int64_t batch_size, const engine::Graph& graph, int64_t shards,
                         const Message& message) {
  const engine::Node* bn = engine::lone_batch_norm(graph, 1);
  const int64_t last = images % batch_size, least = 2 * shards;
  if (!bn || ((last == 0 || last >= least) && batch_size >= least)) return 1;
  const std::string why = fmt::format(
      "the batch norm {} sees one value a channel of it, which has no variance", engine::quote(bn->id));
  if (batch_size < least && shards > 1)
    throw Error(errors::data_misfit,
                fmt::format("a batch of {} images is cut into {} shards, and of a shard of one image {}",
                            batch_size, shards, why),
                "a larger train.batch_size, or fewer distributed.shards");
  if (images < least)
    throw Error(errors::data_misfit,
                images == 1
                    ? "there is one image to train on, and " + why
                    : fmt::format("there are {} images to train on for {} shards, and of a shard of one "
                                  "image {}",
                                  images, shards, why),
                "add images, or lower data.holdout");
  if (message)
    message(
        fmt::format("an epoch would end in a {} of one image, and {}: each epoch trains on {} of {} images, "
                    "and leaves out {}",
                    shards == 1 ? "batch" : "shard", why, images - last, images,
                    last == 1 ? "another one" : fmt::format("{} others", last)));
  return least;
}

Ids all_of(const Dataset& data) {
  Ids ids(data.size());
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

// `limit` samples, from every class its share (the rest to those with the largest fraction, first classes
// first), each class's first in data-set order. A folder tree is sorted by class: its first samples are of
// one.
Ids stratified(const Dataset& data, int64_t limit) {
  std::vector<Ids> of_class(static_cast<size_t>(data.classes()));
  for (int64_t i = 0; i < data.size(); ++i) of_class[static_cast<size_t>(data.label(i))].push_back(i);
  std::vector<int64_t> take, by_fraction(of_class.size());
  for (const Ids& ids : of_class) take.push_back(static_cast<int64_t>(ids.size()) * limit / data.size());
  std::iota(by_fraction.begin(), by_fraction.end(), 0);
  std::stable_sort(by_fraction.begin(), by_fraction.end(), [&](int64_t a, int64_t b) {
    const auto fraction = [&](int64_t c) {
      return static_cast<int64_t>(of_class[c].size()) * limit % data.size();
    };
    return fraction(a) > fraction(b);
  });
  int64_t left = limit - std::accumulate(take.begin(), take.end(), int64_t{0});
  for (size_t i = 0; left > 0; ++i, --left) ++take[by_fraction[i]];
  Ids sample;
  for (size_t c = 0; c < of_class.size(); ++c)
    sample.insert(sample.end(), of_class[c].begin(), of_class[c].begin() + take[c]);
  std::sort(sample.begin(), sample.end());
  return sample;
}

// Of evaluation a rank has whole batches, in turn.
auto every_batch_of(const engine::DataParallel& parallel) {
  return [ranks = parallel.ranks(), rank = parallel.rank()](int64_t batch, int64_t n) {
    return engine::Range{0, batch % ranks == rank ? n : 0};
  };
}

// Shares the memory that data.cache_mib allows among the stores, in the order of the calls.
class Cache {
 public:
  Cache(const DataConfig& c, const Message& message)
      : left_(static_cast<size_t>(c.cache_mib) << 20), keep_errors_(c.skip_bad_samples), message_(message) {}
  void fill(SampleStore& store, const Ids& ids) { left_ -= store.cache(ids, left_, keep_errors_, message_); }

 private:
  size_t left_;
  bool keep_errors_;
  const Message& message_;
};

std::shared_ptr<const Dataset> open_split(const DataConfig& c, Split split, const Message& message) {
  auto data = open_dataset(c, split);
  if (message && !data->note().empty()) message(data->note());
  return data;
}

std::unique_ptr<Loader> eval_loader(const DataConfig& c, std::shared_ptr<const SampleStore> store, Ids ids,
                                    const LoaderOptions& options, const Message& message) {
  auto loader = std::make_unique<Loader>(std::move(store), std::move(ids), transform_of(c, false), options);
  if (c.skip_bad_samples) loader->leave_out_bad(message);
  return loader;
}

std::unique_ptr<Loader> test_loader(const DataConfig& c, std::shared_ptr<const Dataset> data,
                                    const LoaderOptions& options, const engine::Graph& graph, Cache& cache,
                                    const Message& message, int64_t limit = 0) {
  check_classes(*data, graph);
  auto store = std::make_shared<SampleStore>(data, preparation_of(c, false));
  const Ids ids = limit > 0 && limit < data->size() ? stratified(*data, limit) : all_of(*data);
  cache.fill(*store, ids);
  auto loader = eval_loader(c, store, ids, options, message);
  check_input(*loader, graph);
  loader->keep_on_device(message);
  return loader;
}

}  // namespace

std::unique_ptr<Loader> make_test_loader(const DataConfig& c, int64_t eval_batch_size,
                                         const engine::Graph& graph, engine::DType dtype,
                                         const Message& message, engine::Device device, int64_t limit) {
  Cache cache(c, message);
  return test_loader(c, open_split(c, Split::test, message), options_of(c, eval_batch_size, dtype, device),
                     graph, cache, message, limit);
}

Loaders make_loaders(const DataConfig& c, int64_t batch_size, int64_t eval_batch_size,
                     const engine::Graph& graph, engine::DType dtype, const Message& message,
                     engine::Device device, const engine::DataParallel& parallel) {
  const auto data = open_split(c, Split::train, message), test = open_split(c, Split::test, message);
  check_classes(*data, graph);
  auto eval_options = options_of(c, eval_batch_size, dtype, device, parallel);
  if (parallel.ranks() > 1) eval_options.share = every_batch_of(parallel);
  const HoldoutSplit split = split_holdout(data->size(), c.holdout, c.seed);
  // Without scaling, training and hold-out samples are prepared alike and share one store.
  const bool shared = !c.augments(Augment::random_resized_crop);
  auto store = std::make_shared<SampleStore>(data, preparation_of(c, true));
  auto eval_store = shared ? store : std::make_shared<SampleStore>(data, preparation_of(c, false));

  Cache cache(c, message);
  cache.fill(*store, shared ? all_of(*data) : split.train);
  if (!shared && c.holdout > 0) cache.fill(*eval_store, split.holdout);
  Loaders l;
  auto train_options = options_of(c, batch_size, dtype, device, parallel);
  if (parallel.ranks() > 1)
    train_options.share = [parallel](int64_t, int64_t n) { return parallel.samples_here(n); };
  train_options.least_last =
      least_last_batch(static_cast<int64_t>(split.train.size()), batch_size, graph, parallel.shards, message);
  l.train = std::make_unique<Loader>(store, split.train, transform_of(c, true), train_options);
  check_input(*l.train, graph);
  l.train->keep_on_device(message);
  if (c.holdout > 0) {
    l.holdout = eval_loader(c, eval_store, split.holdout, eval_options, message);
    l.holdout->keep_on_device(message);
  }
  l.test = test_loader(c, test, eval_options, graph, cache, message);
  l.fingerprint = fingerprint_of(*data, *test);
  return l;
}

}  // namespace eb::data
