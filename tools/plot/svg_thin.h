// Curves of long runs as few points that draw the same picture.
#pragma once
#include "tools/plot/svg_plot.h"

namespace eb::tools::page {

// At most `most` of the values: of every stretch of the line the first, the last, the lowest and the highest,
// so that no peak is lost. Interruptions stay. A series that has no more values is left as it is.
Series thinned(const Series& series, size_t most);

}  // namespace eb::tools::page
