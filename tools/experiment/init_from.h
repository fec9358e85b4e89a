// A new run from the network of another one, of `compact`, `import` or `export`: its graph and its weights.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "engine/config/config.h"
#include "engine/model/model.h"

namespace eb::tools {

// Makes model.* say the network that model.init.from holds, with a new classifier if
// model.init.replace_classifier asks for one: what the config had there may be another one, which `say` then
// tells. A pruned network is not searched for a ticket unless early_bird.enabled was given. `run`, a
// directory that may hold the run already (empty: a new one), has the last word, so it goes on without the
// checkpoint it came from. Error 4065 if the network does not fit the config's classes or images.
void take_network(engine::Config& config, const std::filesystem::path& run,
                  const std::function<void(const std::string&)>& say);

// Weights and batch norm statistics of model.init.from; momentum, and with model.init.replace_classifier the
// classifier, stay as they are. Error 4065 if its network is another one.
void load_first_weights(engine::Model& model, const engine::Config& config);

}  // namespace eb::tools
