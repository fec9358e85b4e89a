#include "kernels/emulated/block.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>

namespace eb::kernels::emulated {

namespace {

thread_local Block* current_block = nullptr;
thread_local Lane* current_lane = nullptr;

std::string place(Where where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

bool same_file(Where a, Where b) {
  return a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0;
}

void land(const AsyncCopy& c) {
  std::memcpy(c.to, c.from, c.valid);
  std::memset(static_cast<char*>(c.to) + c.valid, 0, c.bytes - c.valid);
}

}  // namespace

Lane& lane() {
  return *current_lane;
}
Block& block() {
  return *current_block;
}

Index3 unflatten(uint64_t i, const Index3& extent) {
  return {i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
}

std::string to_string(const Index3& i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

// Shared memory starts as NaN patterns and is its own allocation, so that AddressSanitizer sees its end.
Block::Block(const BlockShape& shape, const Schedule& schedule)
    : shape_(shape),
      schedule_(schedule),
      random_(schedule.seed * 0x10001 + shape.index.x + (uint64_t{shape.index.y} << 20) +
              (uint64_t{shape.index.z} << 40)),
      shared_(nullptr, std::free),
      lanes_(shape.threads.count()),
      ready_((lanes_.size() + 31) / 32),
      meetings_(ready_.size()) {
  if (shape.shared_bytes) {
    void* bytes = nullptr;
    if (posix_memalign(&bytes, 1024, shape.shared_bytes) != 0) throw std::bad_alloc();
    shared_.reset(bytes);
    std::memset(bytes, 0xff, shape.shared_bytes);
  }
  for (size_t warp = 0; warp < ready_.size(); ++warp) multiplies_.emplace_back(*this, static_cast<int>(warp));
}

Block::~Block() = default;

void Block::start(Lane& lane, const std::function<void()>& body) {
  lane.fiber.start([this, &lane, &body] {
    try {
      body();
      for (const auto& group : lane.groups) std::for_each(group.begin(), group.end(), land);
    } catch (const Fiber::Cancelled&) {
      throw;
    } catch (...) {
      if (!error_) error_ = std::current_exception();
    }
    lane.done = true;
    ++done_;
    ready_[lane.number / 32] &= ~(1u << lane.number % 32);
  });
  ready_[lane.number / 32] |= 1u << lane.number % 32;
}

void Block::run(const std::function<void()>& body) {
  current_block = this;
  for (unsigned i = 0; i < lanes_.size(); ++i) {
    lanes_[i].number = i;
    lanes_[i].thread = unflatten(i, shape_.threads);
    start(lanes_[i], body);
  }
  last_ = static_cast<unsigned>(lanes_.size()) - 1;
  try {
    while (done_ < lanes_.size() && !error_) {
      if (Lane* next = pick())
        resume(*next);
      else if (!land_late())
        throw deadlock();
    }
    if (!error_) check_finished();
  } catch (...) {  // from what lands between two threads' turns
    error_ = std::current_exception();
  }
  if (error_) {
    for (Lane& l : lanes_) {
      current_lane = &l;  // frames unwind under their own identity
      l.fiber.cancel();
    }
    std::rethrow_exception(error_);
  }
}

void Block::resume(Lane& l) {
  last_ = l.number;
  current_lane = &l;
  l.fiber.resume();
  if (schedule_.copies == Schedule::Copies::random) land_some();
}

Lane* Block::pick() {
  const auto warps = static_cast<unsigned>(ready_.size());
  const unsigned warp = last_ / 32;
  if (schedule_.order == Schedule::Order::greedy && ready_[warp]) return pick_in_warp(warp);
  if (schedule_.order == Schedule::Order::greedy || schedule_.order == Schedule::Order::random) {
    const unsigned start = random_.below(warps);
    for (unsigned i = 0; i < warps; ++i)
      if (ready_[(start + i) % warps]) return pick_in_warp((start + i) % warps);
    return nullptr;
  }
  const bool up = schedule_.order == Schedule::Order::in_order;
  const auto n = static_cast<unsigned>(lanes_.size());
  // The rest of this warp first, then whole warps: 32 lanes a word keep the search short.
  const unsigned bit = last_ % 32;
  const unsigned rest =
      up ? (bit == 31 ? 0 : ready_[warp] & (~0u << (bit + 1))) : ready_[warp] & ((1u << bit) - 1);
  if (rest) return &lanes_[warp * 32 + (up ? std::countr_zero(rest) : 31 - std::countl_zero(rest))];
  for (unsigned i = 1; i <= warps; ++i) {
    const unsigned w = up ? (warp + i) % warps : (warp + warps - i % warps) % warps;
    if (ready_[w])
      return &lanes_[std::min(
          n - 1, w * 32 + (up ? std::countr_zero(ready_[w]) : 31 - std::countl_zero(ready_[w])))];
  }
  return nullptr;
}

Lane* Block::pick_in_warp(unsigned warp) {
  unsigned bits = ready_[warp];
  if (schedule_.order == Schedule::Order::random)
    for (uint32_t skip = random_.below(std::popcount(bits)); skip > 0; --skip) bits &= bits - 1;
  return &lanes_[warp * 32 + std::countr_zero(bits)];
}

void Block::suspend(const char* reason, Where where) {
  Lane& me = *current_lane;
  me.waits_for = reason;
  me.where = where;
  ready_[me.number / 32] &= ~(1u << me.number % 32);
  me.fiber.suspend();
}

void Block::wake(Lane& l) {
  l.waits_for = nullptr;
  ready_[l.number / 32] |= 1u << l.number % 32;
}

void* Block::shared_memory(size_t bytes, Where where) {
  if (bytes > shape_.shared_bytes)
    fail("asks for " + std::to_string(bytes) + " bytes, the launch gave " +
             std::to_string(shape_.shared_bytes),
         "shared", where);
  return shared_.get();
}

bool Block::owns_shared(const void* p, size_t bytes) const {
  const auto at = reinterpret_cast<uintptr_t>(p), base = reinterpret_cast<uintptr_t>(shared_.get());
  return at >= base && at + bytes <= base + shape_.shared_bytes;
}

void Block::barrier(int id, int count, Where where) {
  if (id < 0 || id > 15 || count <= 0 || count > thread_count() || (count % 32 && count != thread_count()))
    fail("barrier " + std::to_string(id) + " of " + std::to_string(count) + " threads", "barrier", where);
  Barrier& b = barriers_[id];
  if (b.waiting.empty()) b.expected = count;
  if (b.expected != count) fail("meets threads that expect another count", "barrier", where);
  for (const Lane* other : b.waiting)
    if (other->where.line() != where.line() || !same_file(other->where, where))
      fail("diverges: thread " + to_string(other->thread) + " waits at " + place(other->where), "barrier",
           where);
  if (static_cast<int>(b.waiting.size()) + 1 < count) {
    b.waiting.push_back(current_lane);
    suspend("barrier", where);
    return;
  }
  for (Lane* l : b.waiting) wake(*l);
  b.waiting.clear();
  // The last to arrive does not always go on first.
  if (schedule_.order != Schedule::Order::in_order) {
    const unsigned number = current_lane->number;
    ready_[number / 32] |= 1u << number % 32;
    current_lane->fiber.suspend();
  }
}

void** Block::arrive(const char* name, unsigned mask, void* operand, Where where) {
  Lane& me = *current_lane;
  const unsigned warp = me.number / 32, bit = 1u << me.number % 32;
  if (!(mask & bit)) fail("the mask leaves out the calling thread", name, where);
  const auto absent = warp * 32 + 32 > lanes_.size() ? ~0u << lanes_.size() % 32 : 0u;
  if (mask & absent) fail("the mask names threads the block does not have", name, where);
  auto& pending = meetings_[warp];
  auto it = std::find_if(pending.begin(), pending.end(), [&](const Meeting& m) { return m.mask & mask; });
  if (it == pending.end()) {
    pending.push_back({name, mask, 0, where, {}});
    it = pending.end() - 1;
  }
  if (it->mask != mask || (it->name != name && std::strcmp(it->name, name) != 0))
    fail(std::string("meets lanes of its mask in ") + it->name + " at " + place(it->where), name, where);
  it->arrived |= bit;
  it->operands[me.number % 32] = operand;
  if (it->arrived != mask) {
    suspend(name, where);
    return nullptr;
  }
  executing_.assign(1, *it);
  pending.erase(it);
  return executing_.front().operands;
}

void Block::release(const char*, unsigned mask) {
  const unsigned warp = current_lane->number / 32;
  for (unsigned rest = mask & ~(1u << current_lane->number % 32); rest; rest &= rest - 1)
    wake(lanes_[warp * 32 + std::countr_zero(rest)]);
}

bool Block::acts_at_issue() {
  using Copies = Schedule::Copies;
  return schedule_.copies == Copies::at_issue || (schedule_.copies == Copies::random && random_.below(2));
}

WarpMultiply& Block::warp_multiply() {
  return multiplies_[current_lane->number / 32];
}

void Block::copy_async(const AsyncCopy& copy, Where where) {
  if (!owns_shared(copy.to, copy.bytes)) fail("writes outside the block's shared memory", "cp.async", where);
  const auto misaligned = [&](const void* p) { return reinterpret_cast<uintptr_t>(p) % copy.bytes != 0; };
  if (misaligned(copy.to) || (copy.valid && misaligned(copy.from)))
    fail("an address is not a multiple of " + std::to_string(copy.bytes), "cp.async", where);
  if (acts_at_issue())
    land(copy);
  else
    current_lane->groups.back().push_back(copy);
}

void Block::commit_copies() {
  current_lane->groups.emplace_back();
}

void Block::wait_copies(size_t pending_groups) {
  auto& groups = current_lane->groups;
  // The open group is not committed, so it is not waited for.
  while (groups.size() > pending_groups + 1) {
    std::for_each(groups.front().begin(), groups.front().end(), land);
    groups.erase(groups.begin());
  }
}

// Bulk copies and multiplies of a warp; the rest are copies of one lane.
void Block::land_some() {
  if (transfers_.under_way() && random_.below(16) == 0) transfers_.land_one();
  WarpMultiply& multiply = multiplies_[current_lane->number / 32];
  if (multiply.under_way() && random_.below(64) == 0) multiply.run_one();
  Lane& l = lanes_[random_.below(static_cast<uint32_t>(lanes_.size()))];
  if (l.done) return;
  auto& group = l.groups[random_.below(static_cast<uint32_t>(l.groups.size()))];
  if (group.empty()) return;
  land(group.back());
  group.pop_back();
}

// No thread can go on: the bulk copies have waited as long as they can.
bool Block::land_late() {
  return transfers_.land_one();
}

void Block::check_finished() const {
  const std::string at = std::string("[") + shape_.kernel + "] block " + to_string(shape_.index) + " ";
  if (transfers_.under_way()) throw EmulationError(at + "ends before a bulk copy has landed");
  for (size_t warp = 0; warp < multiplies_.size(); ++warp) {
    if (multiplies_[warp].under_way()) throw EmulationError(at + "ends before a wgmma is waited for");
    if (multiplies_[warp].issued() != multiplies_[warp / 4 * 4].issued())
      throw EmulationError(at + "has a warpgroup whose warps issue different wgmma");
  }
}

void Block::fail(const std::string& what, const char* operation, Where where) const {
  throw EmulationError(std::string("[") + shape_.kernel + "] " + operation + " at " + place(where) +
                       ": block " + to_string(shape_.index) + " thread " + to_string(current_lane->thread) +
                       " " + what);
}

EmulationError Block::deadlock() const {
  std::map<std::tuple<std::string, std::string>, std::pair<int, const Lane*>> waiting;
  for (const Lane& l : lanes_) {
    if (l.done) continue;
    auto& [count, first] = waiting[{l.waits_for, place(l.where)}];
    if (count++ == 0) first = &l;
  }
  std::string message =
      std::string("[") + shape_.kernel + "] deadlock in block " + to_string(shape_.index) + ": ";
  for (const auto& [at, who] : waiting)
    message += std::to_string(who.first) + " threads (first " + to_string(who.second->thread) + ") wait in " +
               std::get<0>(at) + " at " + std::get<1>(at) + "; ";
  return EmulationError(message + transfers_.unfinished_phases() + std::to_string(done_) + " are done");
}

}  // namespace eb::kernels::emulated
