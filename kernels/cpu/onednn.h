// What the oneDNN (2.x) backends share: engine, streams, thread guard and plan cache.
// oneDNN fixes the number of threads of a primitive when it is created. Executing a primitive made for two
// threads where only one runs loses half of the sum or hangs, so plans for use inside a parallel region are
// made under SingleThread.
#pragma once
#include <array>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>

#include "kernels/dtype.h"

namespace eb::kernels::cpu {

// Whether oneDNN has bf16 convolutions for this machine; without them they are computed in f32 and rounded
// once.
bool native_bf16();
// Whether the machine has AVX-512. Choices measured on AVX2 are not taken there.
bool wide_vectors();

const dnnl::engine& engine();
dnnl::stream& stream();  // of the calling thread

dnnl::memory::data_type onednn_type(DType);
dnnl::primitive_attr user_scratchpad();

// oneDNN sees one thread while this lives.
class SingleThread {
 public:
  SingleThread();
  ~SingleThread();
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int threads_;
};

constexpr size_t align_up(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Plans by shape, least recently used out first. A handed-out plan stays alive while its user holds it.
template <class Plan>
class PlanCache {
 public:
  using Key = std::array<int64_t, 18>;
  // Two batch sizes of PreResNet-101 with all widths different need about 600; a plan holds some 10 KiB of
  // code.
  static constexpr size_t capacity = 1024;

  template <class Make>
  std::shared_ptr<const Plan> get(const Key& key, Make&& make) {
    std::lock_guard lock(mutex_);
    auto it = plans_.find(key);
    if (it == plans_.end()) {
      if (plans_.size() >= capacity) drop_oldest();
      it = plans_.emplace(key, Entry{std::make_shared<const Plan>(make()), 0}).first;
    }
    it->second.last_use = ++clock_;
    return it->second.plan;
  }
  size_t size() const { return plans_.size(); }

 private:
  struct Entry {
    std::shared_ptr<const Plan> plan;
    uint64_t last_use;
  };
  void drop_oldest() {
    auto oldest = plans_.begin();
    for (auto it = plans_.begin(); it != plans_.end(); ++it)
      if (it->second.last_use < oldest->second.last_use) oldest = it;
    plans_.erase(oldest);
  }
  std::mutex mutex_;
  std::map<Key, Entry> plans_;
  uint64_t clock_ = 0;
};

}  // namespace eb::kernels::cpu
