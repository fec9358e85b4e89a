// What `watch` draws: a run as a screenful of text.
#pragma once
#include <string>
#include <vector>

#include "tools/plot/text_plot.h"
#include "tools/watch/run_view.h"

namespace eb::tools {

// style: of the whole frame. At most style.height lines of style.width columns.
std::vector<std::string> watch_frame(const RunView& run, const PlotStyle& style);

// "3 damaged lines skipped".
std::string damaged_text(const RunView& run);

}  // namespace eb::tools
