// Any bytes as a ticket, and as a mask history: only eb::Error may leave. A ticket that is accepted holds a
// mask of 0 and 1 for every batch norm and says the same after writing and reading it again.
#include <cstdint>
#include <cstdlib>
#include <fstream>

#include "engine/base/error.h"
#include "engine/graph/arch/arch.h"
#include "pruning/mask_history.h"
#include "pruning/ticket.h"
#include "support/temp_dir.h"

using namespace eb;

struct Fixture {
  TempDir dir{true};
  engine::Graph graph;
  Fixture() {
    engine::ArchOptions o;
    o.depth = 11, o.width = 0.0625;
    graph = engine::build_arch("preresnet", o);
  }
};

static void check(const pruning::Ticket& t, const pruning::Ticket& again, const engine::Graph& graph) {
  if (t.masks.size() != graph.bn_nodes().size()) std::abort();
  for (size_t i = 0; i < t.masks.size(); ++i) {
    if (static_cast<int64_t>(t.masks[i].keep.size()) != graph.nodes[graph.find(t.masks[i].bn)].c)
      std::abort();
    if (t.masks[i].keep != again.masks[i].keep) std::abort();
  }
  if (t.epoch != again.epoch || t.graph_hash != again.graph_hash) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Fixture f;
  const auto path = f.dir / "input", rewritten = f.dir / "rewritten";
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<long>(size));
  try {
    const pruning::Ticket t = pruning::load_ticket(path, f.graph);
    pruning::save_ticket(t, f.graph, rewritten);
    check(t, pruning::load_ticket(rewritten, f.graph), f.graph);
  } catch (const Error&) {
  }
  try {
    const pruning::MaskRecords r = pruning::read_mask_history(path);
    if (r.masks.size() <= 64) pruning::pairwise_distances(r);
    if (r.bits > 1 << 16) return 0;  // a header may claim half a gigabyte a record
    pruning::MaskHistory(path, r.bits, static_cast<int64_t>(r.masks.size()))
        .append(std::vector<uint64_t>(static_cast<size_t>((r.bits + 63) / 64)));
    if (pruning::read_mask_history(path).masks.size() != r.masks.size() + 1) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
