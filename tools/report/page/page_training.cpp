// Loss, accuracy, learning rate and speed, epoch by epoch.
#include "tools/plot/svg_plot.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using engine::EpochRecord;

namespace {

struct Curve {
  Number EpochRecord::*value;
  const char* name;
  int color;
  bool dashed;
};

}  // namespace

static bool any(const Series& s) {
  for (const Number& y : s.y)
    if (y) return true;
  return false;
}

static Series series_of(const RunReport& run, const Curve& c) {
  Series s{c.name, c.color, c.dashed, {}, {}};
  for (const EpochRecord& epoch : run.epochs)
    s.x.push_back(static_cast<double>(epoch.epoch)), s.y.push_back(epoch.*c.value);
  return s;
}

static Plot plot_of(const RunReport& run, const std::string& title, const std::vector<Curve>& curves) {
  Plot plot;
  plot.title = title + " by epoch";
  for (const Curve& c : curves)
    if (Series s = series_of(run, c); any(s)) plot.series.push_back(std::move(s));
  for (const PhaseChange& c : phase_changes(run)) plot.phases.push_back({c.epoch, c.name});
  return plot;
}

static std::string one_epoch(const RunReport& run) {
  return run.epochs.size() == 1
             ? "<p class=\"note\">There is one epoch so far: a point, and no curve yet.</p>"
             : "";
}

static std::string accuracy(const RunReport& run) {
  Plot plot = plot_of(run, "Top-1 accuracy",
                      {{&EpochRecord::train_top1, "training images", 2, true},
                       {&EpochRecord::test_top1, "test images", 1, false},
                       {&EpochRecord::holdout_top1, "hold-out", 3, false}});
  plot.percent_y = true;
  return figure("Top-1 accuracy", line_plot(plot),
                "The share of images whose first guess is right. The test line is the one that counts; a "
                "training line far "
                "above it says that the network learns its images by heart.");
}

static std::string loss(const RunReport& run) {
  Plot plot = plot_of(run, "Loss",
                      {{&EpochRecord::train_loss, "training images", 2, true},
                       {&EpochRecord::test_loss, "test images", 1, false}});
  return figure("Loss", line_plot(plot),
                "What training makes small. A step up at a vertical line is the price of cutting channels "
                "out; it should "
                "be gone a few epochs later.");
}

static std::string learning_rate(const RunReport& run) {
  Plot plot = plot_of(run, "Learning rate", {{&EpochRecord::lr, "learning rate", 1, false}});
  plot.log_y = true;
  for (Series& s : plot.series) s.stairs = true;
  return figure("Learning rate", line_plot(plot),
                "The step size of each epoch's last step, as the schedule gave it.");
}

static std::string speed(const RunReport& run) {
  Plot plot = plot_of(run, "Training images per second",
                      {{&EpochRecord::images_per_s, "images per second", 1, false}});
  plot.y_low = 0;
  return figure(
      "Training speed, images per second", line_plot(plot),
      "Measured, evaluation not counted. The compact network should be faster from its first epoch on.");
}

std::string training_section(const RunPage& page) {
  const std::string plots = accuracy(page.run) + loss(page.run) + learning_rate(page.run) + speed(page.run);
  if (plots.empty())
    return section(page, "training", "Training", "<p class=\"empty\">No epoch is complete.</p>");
  return section(page, "training", "Training",
                 one_epoch(page.run) + "<div class=\"columns\">" + plots + "</div>");
}

}  // namespace eb::tools::page
