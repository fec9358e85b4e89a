// `eb_engine data stats|verify`: what is in the data of a config.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/fields.h"
#include "data/survey.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "tools/cli/commands.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/model_files.h"

namespace eb::tools {
namespace {

using data::Dataset;
using data::Split;
using data::Survey;
using nlohmann::ordered_json;

struct DataFlags {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> sets;
  std::string kind, root;
  bool json = false;
};

struct SplitSurvey {
  const char* name;
  std::shared_ptr<const Dataset> data;
  Survey survey;
};

data::DataConfig config_of(const DataFlags& f) {
  auto sets = f.sets;
  if (!f.kind.empty()) sets.push_back("data.kind=" + engine::dump_json(nlohmann::json(f.kind)));
  if (!f.root.empty())
    sets.push_back("data.root=" + engine::dump_json(nlohmann::json(engine::text_of_bytes(f.root))));
  const auto& table = f.files.empty() ? data::data_fields() : experiment_fields();
  return data::data_config(engine::load_config(table, experiment_files(f.files), sets));
}

std::vector<SplitSurvey> survey_both(const data::DataConfig& config) {
  const auto say = [](const std::string& text) { std::cerr << text << "\n"; };
  std::vector<SplitSurvey> both = {{"train", open_dataset(config, Split::train), {}},
                                   {"test", open_dataset(config, Split::test), {}}};
  for (auto& part : both) {
    if (!part.data->note().empty()) say("note: " + part.data->note());
    part.survey = survey(*part.data, say);
  }
  return both;
}

ordered_json stats_json(const SplitSurvey& part) {
  const Survey& s = part.survey;
  ordered_json classes = ordered_json::array();
  for (size_t c = 0; c < s.per_class.size(); ++c)
    classes.push_back({{"name", part.data->class_names()[c]}, {"samples", s.per_class[c]}});
  return {{"samples", s.samples},
          {"bad", s.bad.size()},
          {"width", {s.min_width, s.max_width}},
          {"height", {s.min_height, s.max_height}},
          {"mean", s.mean},
          {"std", s.std},
          {"classes", classes}};
}

void print_stats(const SplitSurvey& part) {
  const Survey& s = part.survey;
  std::cout << fmt::format("{}: {} images in {} classes, {} bad\n", part.name, s.samples, s.per_class.size(),
                           s.bad.size());
  std::cout << fmt::format("  width {} to {}, height {} to {}\n", s.min_width, s.max_width, s.min_height,
                           s.max_height);
  std::cout << fmt::format("  mean {:.4f}, std {:.4f} (of pixels in 0..1; R, G, B)\n", fmt::join(s.mean, " "),
                           fmt::join(s.std, " "));
  for (size_t c = 0; c < s.per_class.size(); ++c)
    std::cout << fmt::format("  {:>8}  {}\n", s.per_class[c], part.data->class_names()[c]);
}

int stats(const DataFlags& f) {
  ordered_json result;
  for (const auto& part : survey_both(config_of(f))) {
    if (!f.json) print_stats(part);
    result[part.name] = stats_json(part);
  }
  if (f.json) std::cout << engine::dump_json(result, 2) << "\n";
  return 0;
}

ordered_json verify_json(const SplitSurvey& part) {
  ordered_json bad = ordered_json::array(), odd = bad, duplicates = bad;
  for (const auto& b : part.survey.bad) bad.push_back({{"sample", b.sample}, {"error", b.error}});
  for (const auto& [sample, warning] : part.survey.odd)
    odd.push_back({{"sample", sample}, {"warning", warning}});
  for (const auto& [first, later] : part.survey.duplicates)
    duplicates.push_back({part.data->describe(first), part.data->describe(later)});
  return {{"samples", part.survey.samples}, {"bad", bad}, {"warnings", odd}, {"duplicates", duplicates}};
}

void print_verify(const SplitSurvey& part) {
  constexpr size_t shown = 10;
  const auto& [name, data, s] = part;
  std::cout << fmt::format("{}: {} images, {} bad, {} with warnings, {} duplicates\n", name, s.samples,
                           s.bad.size(), s.odd.size(), s.duplicates.size());
  for (const auto& b : s.bad) std::cout << "  bad: " << b.error << "\n";
  for (size_t i = 0; i < std::min(shown, s.odd.size()); ++i)
    std::cout << "  warning: " << s.odd[i].first << ": " << s.odd[i].second << "\n";
  for (size_t i = 0; i < std::min(shown, s.duplicates.size()); ++i)
    std::cout << "  same pixels: " << data->describe(s.duplicates[i].first) << " and "
              << data->describe(s.duplicates[i].second) << "\n";
  if (std::max(s.odd.size(), s.duplicates.size()) > shown) std::cout << "  ... --json lists all\n";
}

// Labels outside the classes are refused when the data are opened. Duplicates and pictures that are odd but
// whole are worth knowing and no error.
int verify(const DataFlags& f) {
  const auto both = survey_both(config_of(f));
  const bool ok = both[0].survey.bad.empty() && both[1].survey.bad.empty();
  const std::string fingerprint = fingerprint_of(*both[0].data, *both[1].data);
  ordered_json in_both = ordered_json::array();
  for (const int64_t i : shared_images(both[0].survey, both[1].survey))
    in_both.push_back(both[1].data->describe(i));
  if (f.json) {
    const ordered_json result = {{"ok", ok},
                                 {"fingerprint", fingerprint},
                                 {"train", verify_json(both[0])},
                                 {"test", verify_json(both[1])},
                                 {"test_images_in_train", in_both}};
    std::cout << engine::dump_json(result, 2) << "\n";
  } else {
    for (const auto& part : both) print_verify(part);
    std::cout << fmt::format("{} test images also occur in train\nfingerprint {}\n", in_both.size(),
                             fingerprint);
  }
  return ok ? 0 : 3;
}

Command data_verb(const char* name, const char* doc, int (*verb)(const DataFlags&)) {
  const auto f = std::make_shared<DataFlags>();
  return {
      .name = name,
      .doc = doc,
      .flags = {Flag{"CONFIG", &f->files, "JSON files or names of models/, merged left to right"},
                Flag{"--set", &f->sets, "Override one key: --set data.root='\"datasets/x\"'"},
                Flag{"--data-kind", &f->kind, "Instead of the config's data.kind"},
                Flag{"--data-root", &f->root, "Instead of the config's data.root"},
                Flag{"--json", &f->json, "Print one JSON object"}},
      .run = [f, verb] { return verb(*f); },
  };
}

}  // namespace

Command data_command() {
  return {
      .name = "data",
      .doc = "What is in a data set",
      .commands = {data_verb("stats", "Counts per class, sizes, mean and standard deviation of the colours",
                             stats),
                   data_verb("verify",
                             "Decode everything: damage, duplicates, fingerprint; exit 3 if anything is bad",
                             verify)},
  };
}

}  // namespace eb::tools
