#include "kernels/emulated/transfers.h"

#include "kernels/emulated/block.h"

namespace eb::kernels::emulated {

namespace {
// What an initialised barrier's bytes hold here; on a card they are opaque too.
constexpr uint64_t mark = 0x6d62617272696572u;
}  // namespace

void Transfers::check_place(uint64_t* barrier, const char* operation, Where where) const {
  if (!block_.owns_shared(barrier, sizeof *barrier) || reinterpret_cast<uintptr_t>(barrier) % 8)
    block_.fail("names a barrier outside shared memory or off a multiple of 8 bytes", operation, where);
}

void Transfers::init(uint64_t* barrier, unsigned arrivals, Where where) {
  check_place(barrier, "mbarrier init", where);
  if (arrivals == 0) block_.fail("counts no arrivals", "mbarrier init", where);
  barriers_[barrier] = {.arrivals = arrivals, .pending = arrivals};
  *barrier = mark;
}

Transfers::Barrier& Transfers::find(uint64_t* barrier, const char* operation, Where where) {
  check_place(barrier, operation, where);
  const auto found = barriers_.find(barrier);
  if (found == barriers_.end()) block_.fail("uses an mbarrier nobody has initialised", operation, where);
  if (*barrier != mark) block_.fail("uses an mbarrier whose bytes were overwritten", operation, where);
  return found->second;
}

void Transfers::end_phase_if_complete(Barrier& b) {
  if (b.pending != 0 || b.bytes != 0) return;
  ++b.phase;
  b.pending = b.arrivals;
  for (Lane* l : b.waiting) block_.wake(*l);
  b.waiting.clear();
}

void Transfers::arrive(uint64_t* barrier, int64_t expected_bytes, Where where) {
  Barrier& b = find(barrier, "mbarrier arrive", where);
  if (b.pending == 0) block_.fail("is one arrival more than the phase counts", "mbarrier arrive", where);
  b.bytes += expected_bytes;
  --b.pending;
  end_phase_if_complete(b);
}

void Transfers::wait(uint64_t* barrier, unsigned parity, Where where) {
  Barrier& b = find(barrier, "mbarrier wait", where);
  while ((b.phase & 1) == (parity & 1)) {
    b.waiting.push_back(&lane());
    block_.suspend("mbarrier wait", where);
  }
}

void Transfers::start(uint64_t* barrier, int64_t bytes, std::function<void()> copy, Where where) {
  const Copy c{&find(barrier, "bulk copy", where), bytes, std::move(copy)};
  if (block_.acts_at_issue())
    land(c);
  else
    copies_.push_back(c);
}

void Transfers::land(const Copy& c) {
  c.copy();
  c.barrier->bytes -= c.bytes;
  end_phase_if_complete(*c.barrier);
}

bool Transfers::land_one() {
  if (copies_.empty()) return false;
  const auto next = copies_.begin() + block_.random().below(static_cast<uint32_t>(copies_.size()));
  const Copy c = *next;
  copies_.erase(next);
  land(c);
  return true;
}

std::string Transfers::unfinished_phases() const {
  std::string text;
  for (const auto& [at, b] : barriers_) {
    if (b.waiting.empty()) continue;
    text += "mbarrier at byte " + std::to_string(block_.shared_offset(at)) + " lacks " +
            std::to_string(b.pending) + " arrivals and " + std::to_string(b.bytes) + " bytes; ";
  }
  return text;
}

}  // namespace eb::kernels::emulated
