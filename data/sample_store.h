// Samples after everything that is the same in every epoch: decoded and, for evaluation of photographs,
// scaled and cropped. Kept in memory as uint8 when all of them fit, otherwise made anew for each request.
#pragma once
#include <exception>
#include <memory>

#include "data/dataset.h"
#include "data/each_sample.h"
#include "data/order.h"

namespace eb::data {

struct Preparation {
  int short_side = 0;   // decode no smaller than this (0: full size)
  int resize = 0;       // then scale the short side to this (0: leave it)
  int center_crop = 0;  // and crop the centre
};

class SampleStore {
 public:
  SampleStore(std::shared_ptr<const Dataset> dataset, Preparation preparation);
  const Dataset& dataset() const { return *dataset_; }

  // Decodes `ids` into memory on all cores, unless they need more than `limit` bytes. What could not be
  // decoded is kept as its error if `keep_errors`; else the first one in order is thrown. Returns the bytes
  // used.
  size_t cache(const Ids& ids, size_t limit, bool keep_errors, const Message& message);
  bool cached() const { return !cache_.empty(); }

  // The sample, in the cache or in `scratch`. Throws the error of a bad one. Thread-safe.
  const Image& get(int64_t id, Image& scratch) const;

 private:
  struct Entry {
    Image image;
    std::exception_ptr error;
  };
  Image prepare(int64_t id) const;
  Entry try_prepare(int64_t id) const;
  size_t estimate(const Ids& ids) const;
  bool fill(const Ids& ids, size_t limit, const Message& message);

  std::shared_ptr<const Dataset> dataset_;
  Preparation preparation_;
  std::vector<Entry> cache_;  // by id
};

}  // namespace eb::data
