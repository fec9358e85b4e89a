#include <fmt/format.h>

#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"
#include "engine/graph/shapes.h"

namespace eb::engine::ops {

static void infer(Node& node, const Inputs& in) {
  if (in[0] == in[1]) fail(errors::shapes_differ, node, fmt::format("adds {} to itself", quote(in[0]->id)));
  if (in[0]->h != in[1]->h || in[0]->w != in[1]->w || in[0]->c != in[1]->c)
    fail(errors::shapes_differ, node,
         fmt::format("adds shapes that differ: {} is {}, {} is {}", quote(in[0]->id), shape_text(*in[0]),
                     quote(in[1]->id), shape_text(*in[1])));
  keep_shape(node, in);
}

extern const OpSpec add = {.name = "add",
                           .doc = "Sum of two nodes of one shape: the channels of both stay or go together.",
                           .output = "(C, H, W)",
                           .inputs = 2,
                           .infer = infer,
                           .channels = always<ChannelRule::keeps>,
                           .keeps = Keeps::nothing_behind_bn};

}  // namespace eb::engine::ops
