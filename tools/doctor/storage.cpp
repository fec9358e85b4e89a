#include "tools/doctor/storage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>

#include "engine/base/file.h"
#include "engine/base/text.h"

namespace eb::tools {

static SpaceFacts space_of(const fs::path& folder) {
  struct statvfs s {};
  if (statvfs(folder.c_str(), &s) != 0) return {};
  const auto block = static_cast<double>(s.f_frsize);
  return {.there = true,
          .total = block * static_cast<double>(s.f_blocks),
          .free = block * static_cast<double>(s.f_bavail)};
}

SpaceFacts read_shared_memory(const fs::path& root) {
  return space_of(root / "dev/shm");
}

Line shared_memory_line(const SpaceFacts& shared, int cards) {
  constexpr double wanted = gib;
  const std::string advice =
      "give it 1 GiB: docker run --shm-size=1g (or --ipc=host), else mount -o remount,size=1g /dev/shm; "
      "NCCL fails without";
  const auto trouble = cards > 1 ? problem : warning;
  if (!shared.there) return trouble("/dev/shm", "it is not there", advice);
  const std::string saw = fmt::format("{} free of {}", size_text(shared.free), size_text(shared.total));
  if (shared.total < wanted) return trouble("/dev/shm", saw, advice);
  if (shared.free < wanted)
    return warning("/dev/shm", saw, "remove from /dev/shm what ended programs left there");
  return ok("/dev/shm", saw);
}

static fs::path nearest_that_exists(fs::path folder) {
  std::error_code error;
  folder = fs::absolute(folder, error).lexically_normal();
  while (!fs::exists(folder, error) && folder != folder.parent_path()) folder = folder.parent_path();
  return folder;
}

DiskFacts read_disk(const fs::path& folder) {
  using Clock = std::chrono::steady_clock;
  DiskFacts disk{.folder = folder, .tried = nearest_that_exists(folder), .written = 4 * mib};
  disk.free = space_of(disk.tried).free;
  const fs::path file = disk.tried / fmt::format(".eb_engine-doctor-{}", ::getpid());
  const std::string bytes(static_cast<size_t>(disk.written), 'x');
  const auto start = Clock::now();
  try {
    engine::File out(file, O_WRONLY | O_CREAT | O_EXCL);
    out.write(bytes);
    out.sync();
    out.close();
  } catch (const Error& e) {
    disk.error = e.message();
    disk.advice = e.hint();
  }
  disk.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::error_code ignored;
  fs::remove(file, ignored);
  return disk;
}

Line disk_line(const DiskFacts& disk) {
  constexpr double enough = 2 * gib, slow_seconds = 2;
  std::string saw = engine::quote_path(disk.folder);
  if (disk.tried != fs::absolute(disk.folder).lexically_normal())
    saw += " (not there yet, tried " + engine::quote_path(disk.tried) + ")";
  saw += ": " + size_text(disk.free) + " free, ";
  if (!disk.error.empty()) return problem("disk", saw + disk.error, disk.advice + "; --out names another");
  saw += fmt::format("{} written and synced in {:.0f} ms", size_text(disk.written), 1e3 * disk.seconds);
  if (disk.free < enough)
    return warning("disk", saw, "free some space: a run keeps checkpoints, the dense network and tickets");
  if (disk.seconds > slow_seconds)
    return warning("disk", saw,
                   "a checkpoint waits as long; --out on a faster disk, or a rarer checkpoint.every");
  return ok("disk", saw);
}

}  // namespace eb::tools
