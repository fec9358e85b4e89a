// Rules between a network and the rest of an experiment: what training would stop at, found before anything
// is read.
#pragma once
#include "engine/config/config.h"

namespace eb::tools {

// With model.graph the keys of an architecture have no meaning, and model.input and model.num_classes are the
// graph's: filled in, or error 2010 if they say otherwise.
void graph_rule(engine::Config& config);
void classes_rule(engine::Config& config);     // those of the data, where their kind decides them
void image_rule(engine::Config& config);       // the size of the images, where the config decides it
void batch_norm_rule(engine::Config& config);  // one value a channel has no variance
void ticket_rule(engine::Config& config);      // something to prune, and early_bird.protect names something

}  // namespace eb::tools
