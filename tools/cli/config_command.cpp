// `eb_engine config show | graph | validate | explain | ops | schema | docs`. Data goes to stdout, warnings
// to stderr.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/json_lines.h"
#include "engine/base/text.h"
#include "engine/graph/graph_schema.h"
#include "engine/train/model_config.h"
#include "tools/cli/commands.h"
#include "tools/cli/config_docs.h"
#include "tools/cli/error_docs.h"
#include "tools/cli/op_docs.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/late_drops.h"
#include "tools/experiment/model_files.h"

namespace eb::tools {

using engine::Config;
using engine::Field;
using nlohmann::ordered_json;

namespace {

struct Arguments {
  std::vector<std::string> files, sets;
  std::string key, out;
  bool origin = false, json = false, whole = false, merged = false;
};

std::vector<std::string> warnings_of(const Config& config) {
  std::vector<std::string> all = config.warnings();
  if (const std::string late = late_drops(config); !late.empty()) all.push_back(late);
  return all;
}

Config load(const Arguments& a) {
  Config config =
      engine::load_config(experiment_fields(), experiment_files({a.files.begin(), a.files.end()}), a.sets);
  for (const auto& warning : warnings_of(config)) fmt::print(stderr, "warning: {}\n", warning);
  return config;
}

void print_origins(const Config& config, bool json) {
  if (json) {
    ordered_json all;
    for (const Field& f : config.table().fields)
      all[f.key] = {{"value", config.at(f.key)}, {"origin", config.origin(f.key)}};
    fmt::print("{}\n", engine::dump_json(all, 2));
    return;
  }
  size_t keys = 0, values = 0;
  for (const Field& f : config.table().fields) {
    keys = std::max(keys, f.key.size());
    values = std::max(values, std::min<size_t>(40, config.at(f.key).dump().size()));
  }
  for (const Field& f : config.table().fields)
    fmt::print("{:<{}}  {:<{}}  {}\n", f.key, keys, config.at(f.key).dump(), values, config.origin(f.key));
}

int show(const Arguments& a) {
  const Config config = load(a);
  if (a.origin)
    print_origins(config, a.json);
  else
    fmt::print("{}\n", engine::dump_json(config.ordered(), 2));
  return 0;
}

// Keys that an architecture reads and an explicit graph does not.
constexpr const char* keys_of_arch[] = {"model.arch", "model.depth", "model.width", "model.downsample_bias"};

// The keys that an architecture reads give way to the graph it makes. As a file behind the others of a
// command line it has to take back what they gave; a whole experiment leaves them out.
ordered_json model_with_graph(const Config& config, bool whole) {
  ordered_json model = whole ? config.ordered()["model"] : ordered_json::object();
  for (const std::string key : keys_of_arch) {
    const std::string name = key.substr(key.find('.') + 1);
    const Field& field = *config.table().find(key);
    if (whole)
      model.erase(name);
    else if (field.nullable || config.at(key) != field.default_value)
      model[name] = field.default_value;
  }
  if (whole) model.erase("input"), model.erase("num_classes");  // the graph says them
  model["graph"] = short_json(engine::graph_of(config));
  return model;
}

int graph(const Arguments& a) {
  const Config config = load(a);
  ordered_json tree = a.whole ? config.ordered() : ordered_json::object();
  tree["model"] = model_with_graph(config, a.whole);
  const std::string text = engine::dump_json_lines(tree) + "\n";
  if (a.out.empty()) {
    fmt::print("{}", text);
    return 0;
  }
  if (std::filesystem::exists(a.out))
    throw Error(errors::output_exists, engine::quote_path(a.out) + " exists already",
                "name a file that does not exist: it may hold a network that you have changed");
  engine::replace_file(a.out, text);
  const std::string files = a.whole ? a.out : fmt::format("{} {}", fmt::join(a.files, " "), a.out);
  fmt::print(stderr, "train it: eb_engine train {}\n", files);
  return 0;
}

// Every file by itself: one that is wrong hides no other. Merged, they are one experiment of all these names.
int validate(const Arguments& a) {
  int code = 0;
  std::vector<std::string> warnings, errors;
  std::vector<std::vector<std::string>> experiments;
  for (const std::string& file : a.files)
    if (!a.merged || experiments.empty())
      experiments.push_back({file});
    else
      experiments.back().push_back(file);
  for (const auto& files : experiments) {
    try {
      const Config config = load({.files = files, .sets = a.sets});
      for (const std::string& warning : warnings_of(config)) warnings.push_back(warning);
      if (!a.json) fmt::print("{}: valid\n", fmt::join(files, " "));
    } catch (const Error& e) {
      if (experiments.size() == 1 && !a.json) throw;
      if (!code) code = e.exit_code();
      errors.push_back(e.text());
      fmt::print(stderr, "{}\n", e.text());
    }
  }
  if (a.json)
    fmt::print("{}\n",
               engine::dump_json(ordered_json{
                   {"valid", !code}, {"files", a.files}, {"warnings", warnings}, {"errors", errors}}));
  return code;
}

// Of every key in a section, or of all.
ordered_json schema_below(const std::string& section) {
  ordered_json keys = ordered_json::object();
  for (const Field& f : experiment_fields().fields)
    if (section.empty() || f.key.starts_with(section + ".")) keys[f.key] = field_schema(f);
  return keys;
}

int explain_key(const Arguments& a) {
  const std::string text = explain(experiment_fields(), a.key);  // or an error
  const Field* field = experiment_fields().find(a.key);
  if (a.json)
    fmt::print("{}\n", engine::dump_json(field ? field_schema(*field) : schema_below(a.key), 2));
  else
    fmt::print("{}", text);
  return 0;
}

int schema(const Arguments&) {
  fmt::print("{}\n", config_schema(experiment_fields()).dump(2));
  return 0;
}

int ops(const Arguments&) {
  fmt::print("{}", op_reference(engine::all_ops()));
  return 0;
}

int docs(const Arguments&) {
  fmt::print("{}", config_reference(experiment_fields()));
  return 0;
}

int list_errors(const Arguments&) {
  fmt::print("{}", error_reference());
  return 0;
}

struct Verb {
  const char *name, *help;
  int (*run)(const Arguments&);
  bool files;
};
constexpr Verb verbs[] = {
    {"show", "Print the resolved experiment as JSON", show, true},
    {"graph", "Print its network as model.graph, one node a line, to change and train", graph, true},
    {"validate", "Check files, each by itself, and say nothing else", validate, true},
    {"explain", "Say what a key or a section means", explain_key, false},
    {"ops", "Print every op of model.graph with its keys, the end of docs/own_network.md", ops, false},
    {"schema", "Print a JSON Schema", schema, false},
    {"docs", "Print the reference, docs/config.md", docs, false},
    {"errors", "Print the error codes, docs/errors.md", list_errors, false},
};

Command command_of(const Verb& verb) {
  const auto a = std::make_shared<Arguments>();
  std::vector<Flag> flags;
  if (verb.files) {
    flags.push_back(Flag{"config", &a->files,
                         verb.run == validate ? "Experiment files" : "Experiment files, merged left to right"}
                        .must_be_given());
    flags.push_back(
        Flag{"--set", &a->sets, "KEY=JSON, over the files; may be repeated"}.takes(Flag::Elements::one_each));
  }
  if (verb.run == show) flags.push_back({"--origin", &a->origin, "Say where each value came from"});
  if (verb.run == validate)
    flags.push_back({"--merged", &a->merged, "As one experiment, merged left to right as train does"});
  if (verb.run == graph) {
    flags.push_back({"-o,--out", &a->out, "File to write (default: standard output)"});
    flags.push_back({"--whole", &a->whole, "The whole experiment, and not its model section alone"});
  }
  if (verb.run == explain_key) flags.push_back({"key", &a->key, "Dotted key or section"});
  if ((verb.files && verb.run != graph) || verb.run == explain_key)
    flags.push_back({"--json", &a->json, "Print facts as JSON"});
  return {
      .name = verb.name, .doc = verb.help, .flags = flags, .run = [a, act = verb.run] { return act(*a); }};
}

}  // namespace

Command config_command() {
  Command config = {
      .name = "config",
      .doc = "Show, check and explain experiment files",
      .footer =
          "Examples:\n"
          "  eb_engine config show --origin models/vgg16.json --set train.batch_size=128\n"
          "  eb_engine config validate models/quickstart.json\n"
          "  eb_engine config graph resnet18 -o mine.json   # change it, then train resnet18 mine.json\n"
          "  eb_engine config explain early_bird.threshold",
  };
  for (const Verb& verb : verbs) config.commands.push_back(command_of(verb));
  return config;
}

}  // namespace eb::tools
