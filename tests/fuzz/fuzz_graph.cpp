// Any bytes as a graph: only eb::Error may leave, and what is accepted must survive writing and reading
// again.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/graph/accounting.h"
#include "engine/graph/channel_groups.h"
#include "engine/graph/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto j = nlohmann::json::parse(data, data + size, nullptr, false);
  if (j.is_discarded()) return 0;
  try {
    const eb::engine::Graph graph = eb::engine::graph_from_json(j);
    const nlohmann::json written = eb::engine::to_json(graph);
    if (eb::engine::to_json(eb::engine::graph_from_json(written)) != written) std::abort();
    eb::engine::channel_groups(graph);
    eb::engine::graph_cost(graph);
  } catch (const eb::Error&) {
  }
  return 0;
}
