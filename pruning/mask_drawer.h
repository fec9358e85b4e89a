// The check of the search, on the model's own device: per ratio one launch that gathers every |gamma| from
// the parameter arena, finds the threshold and counts the bits that differ from earlier masks. Nothing but
// the packed masks comes back to the host.
#pragma once
#include <vector>

#include "pruning/ticket.h"

namespace eb::pruning {

class MaskDrawer {
 public:
  struct Request {
    double ratio;
    std::vector<const std::vector<uint64_t>*> compare;  // packed masks of as many bits
  };
  struct Drawn {
    PackedMask mask;
    std::vector<int64_t> differing;  // bits, from each mask of `compare`
  };

  // For models of this one's graph on its device.
  MaskDrawer(const engine::Model& model, Rule rule, Merge merge);
  // The masks of bn_scores and draw_mask. Error 7002 if a scale is NaN or infinite, 2030 for a bad ratio.
  std::vector<Drawn> draw(const engine::Model& model, const std::vector<Request>& requests) const;

 private:
  struct Layout;
  Rule rule_;
  Merge merge_;
  int64_t bits_;
  engine::Tensor index_, first_;  // see kernels::TopkMask::Scores
};

}  // namespace eb::pruning
