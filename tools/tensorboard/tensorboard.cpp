#include "tools/tensorboard/tensorboard.h"

#include <system_error>

#include "engine/run/names.h"
#include "pruning/mask_history.h"
#include "tools/plot/heat_map.h"

namespace eb::tools::tensorboard {

namespace fs = std::filesystem;

TensorBoard::TensorBoard(fs::path run, engine::SessionObserver& messages)
    : run_(std::move(run)), messages_(messages) {}

void TensorBoard::begin(int64_t completed_steps) {
  try {
    writer_.emplace(run_ / engine::file_names::events, completed_steps + 1);
  } catch (const std::system_error& e) {  // no thread to be had
    messages_.on_message(std::string("warning: no events for TensorBoard: ") + e.what());
  }
}

void TensorBoard::on_batch(const engine::BatchRecord& batch) {
  if (!writer_) return;
  add_scalars(now(batch.step), engine::numbers_of(batch));
  pass_on_warning();
}

void TensorBoard::on_epoch(const engine::EpochRecord& epoch) {
  if (!writer_) return;
  const At at = now(epoch.step);
  add_scalars(at, engine::numbers_of(epoch));
  add_heat_maps(at, epoch.masks);
  pass_on_warning();
}

std::string tag_of(const std::string& key) {
  if (key.starts_with("test/")) return "val/" + key.substr(5);
  return key == "perf/data_wait_seconds" ? "perf/data_wait" : key;
}

void TensorBoard::add_scalars(const At& at, const engine::NamedNumbers& numbers) {
  Scalars scalars;
  for (const auto& [key, value] : numbers) {
    const std::string tag = tag_of(key);
    // Both lines of an epoch's last step have the learning rate.
    const auto [last, first_time] = last_step_.try_emplace(tag, at.step);
    if (!first_time && last->second >= at.step) continue;
    last->second = at.step;
    scalars.emplace_back(tag, value);
  }
  if (!scalars.empty())
    writer_->add([at, scalars = std::move(scalars)] { return scalar_event(at, scalars); });
}

void TensorBoard::add_histograms(int64_t step, std::vector<Distribution> distributions) {
  if (!writer_) return;
  writer_->add([at = now(step), distributions = std::move(distributions)] {
    return histogram_event(at, distributions);
  });
}

// --- heat maps ---

void TensorBoard::add_heat_maps(const At& at, const engine::MaskChecks& masks) {
  for (const auto& [ratio, check] : masks) {
    watched_[ratio] = at;
    writer_->add([this, ratio = ratio, at] { return heat_map_if_grown(ratio, at, false); });
  }
  if (masks.empty()) add_last_heat_maps();
}

void TensorBoard::add_last_heat_maps() {
  for (const auto& [ratio, at] : watched_)
    writer_->add([this, ratio = ratio, at = at] { return heat_map_if_grown(ratio, at, true); });
  watched_.clear();
}

// At most 512 masks, evenly spaced: a search that looks at every step has many.
static void thin_out(pruning::MaskRecords& records) {
  constexpr size_t most = 512;
  const size_t every = (records.masks.size() + most - 1) / most;
  if (every < 2) return;
  std::vector<std::vector<uint64_t>> kept;
  for (size_t i = 0; i < records.masks.size(); i += every) kept.push_back(std::move(records.masks[i]));
  records.masks = std::move(kept);
}

// A picture each time there are a tenth more masks, so that all of a long search's take a megabyte and not
// ten.
std::string TensorBoard::heat_map_if_grown(const std::string& ratio, const At& at, bool last) {
  pruning::MaskRecords records =
      pruning::read_mask_history(run_ / engine::file_names::masks / engine::file_names::mask_file(ratio));
  const size_t count = records.masks.size();
  size_t& done = heat_map_of_[ratio];
  if (count < done + (last ? 1 : std::max<size_t>(1, done / 10))) return "";
  done = count;
  thin_out(records);
  const int n = static_cast<int>(records.masks.size());
  const Picture picture = enlarge_to(heat_map(pruning::pairwise_distances(records), n), 320);
  return image_event(at, "eb/heatmap_" + ratio, {picture.width, picture.height, to_png(picture)});
}

int64_t TensorBoard::finish() {
  if (!writer_) return 0;
  add_last_heat_maps();
  writer_->close();
  pass_on_warning();
  return writer_->dropped();
}

void TensorBoard::pass_on_warning() {
  const std::string warning = writer_->take_warning();
  if (!warning.empty()) messages_.on_message(warning);
}

void BnHistograms::after_epoch(engine::Session& session, engine::EpochRecord&) {
  const engine::Model& model = session.trainer().model();
  std::vector<Distribution> scales;
  for (const engine::Parameter& p : model.parameters()) {
    if (p.kind != engine::Parameter::Kind::bn_gamma) continue;
    const std::string layer = p.name.substr(0, p.name.rfind(".weight"));
    scales.emplace_back("bn_gamma/" + layer, model.host_value(p));
  }
  board_.add_histograms(session.trainer().steps(), std::move(scales));
}

}  // namespace eb::tools::tensorboard
