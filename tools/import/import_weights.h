// Tensors that another program trained, as the weights of one of our graphs. Strict: what is missing,
// unexpected or misshapen is listed in full and refused; only what cannot change an output is adapted, and
// said.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/model/model.h"

namespace eb::tools {

struct ImportOptions {
  bool replace_classifier = false;  // it keeps its initial weights, whatever the file has
};

struct ImportedWeights {
  std::map<std::string, engine::Tensor> tensors;  // complete, f32: for engine::load_state_dict
  std::vector<std::string> notes;                 // a sentence for each thing that was adapted or left out
};

// `model` holds its initial weights. Rules, in this order:
//   names      what stands before all of them ("module.", "_orig_mod.", "backbone.", one in another) is left
//              out; "features." is our "feature."
//   counters   num_batches_tracked of a batch norm is left out
//   biases     of convolutions that only a batch norm reads: one that the graph has not goes into the running
//              mean; if the graph has some and the file none at all, they are zero
//   numbers    F64 and BF16 become F32
// Errors, all of which list everything that is wrong: 4060 missing, 4061 unexpected, 4062 of another shape,
// 4063 not made of floating-point numbers, 4064 only the classifier is another one; 4066 a number that is not
// finite or a negative variance.
ImportedWeights import_weights(const engine::Model& model, std::map<std::string, engine::Tensor> file,
                               const ImportOptions& options);

}  // namespace eb::tools
