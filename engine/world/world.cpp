#include "engine/world/world.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/fault.h"
#include "engine/world/compare.h"
#include "engine/world/mpi_library.h"
#include "engine/world/watchdog.h"

namespace eb::engine {

struct World::Several {
  const kernels::MpiCalls& mpi;
  Watchdog watchdog;
  bool summing = false;  // agree() has begun a sum
};

// Between entering and leaving a call this rank may wait for the others.
class World::Call {
 public:
  Call(World& world, const char* name) : watchdog_(world.several_->watchdog) {
    while (fault::of_rank("hang", name, world.rank_)) ::pause();
    watchdog_.enter(name);
  }
  ~Call() { watchdog_.leave(); }

 private:
  Watchdog& watchdog_;
};

static std::string host_name() {
  struct utsname machine {};
  ::uname(&machine);
  return machine.nodename;
}

World::World() = default;

World::World(const Launch& launch) {
  check_wired(launch);
  const kernels::MpiCalls& mpi = mpi_calls();
  if (!mpi.start())
    throw Error(errors::mpi_failed, std::string("this MPI serves one thread a process: ") + mpi.version(),
                "an Open MPI with MPI_THREAD_MULTIPLE");
  check_launch(launch, mpi.size());
  rank_ = mpi.rank(), size_ = mpi.size(), local_rank_ = mpi.local_rank(), local_size_ = mpi.local_size();
  if (size_ == 1) {  // nobody to talk to; to a launcher an end without this is a failure
    mpi.finish();
    return;
  }
  several_.reset(new Several{mpi, {mpi, rank_, size_, {}}});
  hosts_ = all_gather(host_name());
}

World::~World() = default;

std::unique_ptr<World> World::of_environment() {
  const Launch launch = launch_of_process();
  return launch.by_ranks() ? std::unique_ptr<World>(new World(launch)) : std::make_unique<World>();
}

void World::finish() {
  if (!several_) return;
  if (several_->summing) {
    std::array<int64_t, 8> ignored;
    several_->mpi.end_sum(ignored.data());
  }
  const kernels::MpiCalls& mpi = several_->mpi;
  barrier();
  several_.reset();
  mpi.finish();
}

int World::hosts() const {
  return static_cast<int>(std::set<std::string>(hosts_.begin(), hosts_.end()).size());
}

std::vector<std::string> World::all_gather(const std::string& mine) {
  if (!several_) return {mine};
  const Call call(*this, "all_gather");
  std::vector<int64_t> sizes(static_cast<size_t>(size_));
  const auto own = static_cast<int64_t>(mine.size());
  const std::vector<int64_t> eights(static_cast<size_t>(size_), sizeof own);
  several_->mpi.gather_bytes(&own, sizes.data(), eights.data());
  int64_t total = 0;
  for (const int64_t size : sizes) total += size;
  std::string bytes(static_cast<size_t>(total), '\0');
  several_->mpi.gather_bytes(mine.data(), bytes.data(), sizes.data());
  std::vector<std::string> all;
  size_t at = 0;
  for (const int64_t size : sizes) {
    all.push_back(bytes.substr(at, static_cast<size_t>(size)));
    at += static_cast<size_t>(size);
  }
  return all;
}

std::string World::broadcast(const std::string& mine, int from) {
  if (!several_) return mine;
  const Call call(*this, "broadcast");
  auto size = static_cast<int64_t>(mine.size());
  several_->mpi.broadcast(&size, sizeof size, from);
  std::string bytes = rank_ == from ? mine : std::string(static_cast<size_t>(size), '\0');
  several_->mpi.broadcast(bytes.data(), size, from);
  return bytes;
}

void World::barrier() {
  if (!several_) return;
  const Call call(*this, "barrier");
  several_->mpi.barrier();
}

static void require_host(kernels::Device device) {
  if (device != kernels::Device::cpu) throw std::logic_error("[world] floats of ranks move on the CPU");
}

void World::exchange(kernels::Device device, const float* send, float* receive, int64_t slice) {
  require_host(device);
  if (!several_) return static_cast<void>(std::copy_n(send, slice, receive));
  const Call call(*this, "exchange");
  several_->mpi.exchange(send, receive, slice);
}

void World::gather(kernels::Device device, float* all, int64_t slice) {
  require_host(device);
  if (!several_) return;
  const Call call(*this, "gather");
  several_->mpi.gather(all, slice);
}

void World::all_reduce(kernels::Device device, float* data, int64_t floats) {
  require_host(device);
  const Call call(*this, "all_reduce");
  several_->mpi.all_reduce(data, floats);
}

std::optional<World::Wish> World::agree(const Wish& mine) {
  if (!several_) return mine;
  const Call call(*this, "agree");
  std::optional<Wish> before;
  if (std::exchange(several_->summing, true)) {
    std::array<int64_t, 8> sum;
    several_->mpi.end_sum(sum.data());
    before = {sum[0] > 0, sum[1] > 0};
  }
  const int64_t wishes[] = {mine.stop, mine.checkpoint};
  several_->mpi.begin_sum(wishes, 2);
  return before;
}

World::Wish World::agree_now(const Wish& mine) {
  Wish all = agree(mine).value_or(Wish{});
  if (!several_) return all;
  const Call call(*this, "agree");
  std::array<int64_t, 8> sum;
  several_->mpi.end_sum(sum.data());
  several_->summing = false;
  return {all.stop || sum[0] > 0, all.checkpoint || sum[1] > 0};
}

void World::handshake(const Fields& mine) {
  if (!several_) return;
  const std::string problem = protocol_difference(all_gather(protocol_message()));
  if (!problem.empty()) throw Error(errors::ranks_differ, problem, "start the same program on every host");
  const std::vector<Fields> all = fields_of(all_gather(message_of(mine)));
  if (const std::string table = table_of_differences(all); !table.empty())
    throw Error(errors::ranks_differ, "the ranks were not started alike:\n" + table,
                "give every rank the same program, files and flags");
}

void World::same(const std::string& when, const Fields& hashes) {
  if (!several_) return;
  const std::vector<Fields> all = fields_of(all_gather(message_of(hashes)));
  if (const std::string parts = parts_that_differ(all, hosts_); !parts.empty())
    throw Error(errors::state_differs, "the ranks no longer compute the same, " + when + ": " + parts,
                "a card or memory may be faulty; the last checkpoint is intact");
}

void World::set_timeout(double seconds) {
  if (several_) several_->watchdog.set_timeout(seconds);
}

void World::phase(const char* name) {
  if (several_) several_->watchdog.phase(name);
}

void World::alive() {
  if (several_) several_->watchdog.alive();
}

void World::set_crash_directory(const std::filesystem::path& run) {
  if (several_) several_->watchdog.set_crash_directory(run);
}

}  // namespace eb::engine
