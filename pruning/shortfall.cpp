#include "pruning/shortfall.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace eb::pruning {

// Of Hold::why.
static std::string reason(const std::string& why) {
  if (why == "unprunable") return "in layers that cannot be pruned";
  if (why == "shared") return "for additions, which other layers' channels need";
  return "by early_bird." + why;
}

std::string shortfall(const engine::DrawRecord& draw) {
  if (!draw.asked || !draw.pruned || !draw.ratio || *draw.asked == *draw.pruned) return "";
  std::vector<std::string> reasons;
  for (const auto& [why, channels] : draw.returned)
    if (channels != 0)
      reasons.push_back(
          fmt::format("{} {} {}", std::abs(channels), channels > 0 ? "came back" : "more went", reason(why)));
  return fmt::format("the ticket prunes {} of the {} channels that p = {:g} asks for{}{}", *draw.pruned,
                     *draw.asked, *draw.ratio, reasons.empty() ? "" : ": ", fmt::join(reasons, ", "));
}

}  // namespace eb::pruning
