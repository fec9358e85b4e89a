// Several watchers of one session.
#pragma once
#include <vector>

#include "engine/run/session.h"

namespace eb::tools {

class Observers : public engine::SessionObserver {
 public:
  void add(engine::SessionObserver* observer) { list_.push_back(observer); }
  void on_step(const engine::Progress& p) override {
    for (auto* o : list_) o->on_step(p);
  }
  void on_batch(const engine::BatchRecord& batch) override {
    for (auto* o : list_) o->on_batch(batch);
  }
  void on_epoch(const engine::EpochRecord& epoch) override {
    for (auto* o : list_) o->on_epoch(epoch);
  }
  void on_message(const std::string& text) override {
    for (auto* o : list_) o->on_message(text);
  }

 private:
  std::vector<engine::SessionObserver*> list_;
};

}  // namespace eb::tools
