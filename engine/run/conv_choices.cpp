#include "engine/run/conv_choices.h"

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"

namespace eb::engine {

using nlohmann::json;

static const char* const key = "conv_choices";

void store_conv_choices(const ConvChoice* choice, Checkpoint& checkpoint) {
  if (!choice) return;
  if (const json choices = choice->to_json(); !choices.empty()) checkpoint.metadata[key] = choices.dump();
}

json stored_conv_choices(const Checkpoint& checkpoint) {
  const auto found = checkpoint.metadata.find(key);
  if (found == checkpoint.metadata.end()) return json::object();
  try {
    return parse_json(found->second, key, false);
  } catch (const Error& e) {
    throw Error(errors::checkpoint_content, "the checkpoint's conv_choices: " + e.message());
  }
}

}  // namespace eb::engine
