// A config file and --set from hostile hands: only eb::Error may escape, and what is accepted must survive
// being written and read again. Input: the file, then one --set per line after a line "---".
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/config/config.h"
#include "tools/experiment/experiment_fields.h"

using namespace eb;

static void read_tree(const std::string& text) {
  const auto tree = engine::parse_json(text, "fuzz.json", true);
  const auto config = engine::config_from_json(tools::experiment_fields(), tree, "fuzz.json");
  const auto again = engine::config_from_json(tools::experiment_fields(), config.ordered(), "again");
  if (again.json() != config.json()) std::abort();
}

static void read_set(const std::string& text) {
  const auto& table = tools::experiment_fields();
  const auto config =
      engine::load_config(table, {}, {"model.arch=vgg", "model.depth=11", "data.kind=synthetic", text});
  if (config.at("eb_config") != 1) std::abort();
}

static void only_errors(void (*read)(const std::string&), const std::string& text) {
  try {
    read(text);
  } catch (const Error& e) {
    if (e.exit_code() != 2) std::abort();
    for (const char c : e.text())
      if (static_cast<unsigned char>(c) < ' ' && c != '\n') std::abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find("\n---\n");
  only_errors(read_tree, input.substr(0, cut));
  if (cut != std::string::npos) only_errors(read_set, input.substr(cut + 5));
  return 0;
}
