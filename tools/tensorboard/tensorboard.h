// A run as TensorBoard shows it: the numbers of metrics.jsonl as curves, masks/pXX.bits as heat maps, and on
// request the scales of the batch norms as histograms. A run that is resumed begins a new event file, which
// makes TensorBoard forget the steps that are repeated.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/run/session.h"
#include "tools/tensorboard/event.h"
#include "tools/tensorboard/writer.h"

namespace eb::tools::tensorboard {

class TensorBoard : public engine::SessionObserver {
 public:
  // `messages` hears of the first event that could not be written.
  TensorBoard(std::filesystem::path run, engine::SessionObserver& messages);
  // From here on events are written. completed: steps whose lines of metrics.jsonl stay as they are.
  void begin(int64_t completed_steps);
  void on_batch(const engine::BatchRecord& batch) override;
  void on_epoch(const engine::EpochRecord& epoch) override;
  void add_histograms(int64_t step, std::vector<Distribution> distributions);
  // Writes what is left. Returns the number of events that were dropped.
  int64_t finish();

 private:
  void add_scalars(const At& at, const engine::NamedNumbers& numbers);
  void add_heat_maps(const At& at, const engine::MaskChecks& masks);
  void add_last_heat_maps();
  std::string heat_map_if_grown(const std::string& ratio, const At& at, bool last);
  void pass_on_warning();

  const std::filesystem::path run_;
  engine::SessionObserver& messages_;
  std::map<std::string, int64_t> last_step_;   // by tag
  std::map<std::string, At> watched_;          // where a search is at, by the ratio's name
  std::map<std::string, size_t> heat_map_of_;  // number of masks in the last picture; the writer's thread
  std::optional<EventWriter> writer_;          // last: its thread uses the others
};

// The tag of a key of metrics.jsonl.
std::string tag_of(const std::string& key);

class BnHistograms : public engine::SessionHook {
 public:
  explicit BnHistograms(TensorBoard& board) : board_(board) {}
  const char* name() const override { return "tensorboard"; }
  // Before a hook that replaces the model.
  void after_epoch(engine::Session& session, engine::EpochRecord& epoch) override;

 private:
  TensorBoard& board_;
};

}  // namespace eb::tools::tensorboard
