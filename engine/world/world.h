// The ranks of a run: processes, started by mpirun or srun, that train one network together. MPI and NCCL
// only move bytes for them; what is added up is added by our own kernels, in an order of ours. Every rank
// makes the same calls in the same order. One process without a launcher is a world of one, without MPI.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/world/launcher.h"
#include "kernels/dtype.h"

namespace eb::engine {

class World {
 public:
  // What a rank wants all of them to do.
  struct Wish {
    bool stop = false, checkpoint = false;
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;  // name, value

  // Of this process's environment. Errors 9008 (launcher and MPI disagree), 9010 (no MPI), 9004 (MPI without
  // threads).
  static std::unique_ptr<World> of_environment();
  World();  // of one
  // A rank that ends by an error does not wait for the others: the launcher ends them.
  ~World();
  // Waits for all ranks; nothing may be called afterwards. Until then none should exit with a code of its
  // own.
  void finish();

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }  // on this host
  int local_size() const { return local_size_; }
  bool leads() const { return rank_ == 0; }
  int hosts() const;
  const std::string& host(int rank) const { return hosts_[static_cast<size_t>(rank)]; }

  std::vector<std::string> all_gather(const std::string& mine);  // by rank
  std::string broadcast(const std::string& mine, int from = 0);  // that rank's
  void barrier();
  // Slice k of send (size, slice) goes to rank k, slice k of receive comes from it. On the CPU.
  void exchange(kernels::Device device, const float* send, float* receive, int64_t slice);
  void gather(kernels::Device device, float* all, int64_t slice);  // own slice stands at rank * slice
  // MPI's own sum, to compare ours with: its bits depend on the number of ranks. On the CPU.
  void all_reduce(kernels::Device device, float* data, int64_t floats);

  // What any rank wished for in the call before this one; nothing in the first. Nobody waits.
  std::optional<Wish> agree(const Wish& mine);
  // What any rank wishes or has wished; waits for all.
  Wish agree_now(const Wish& mine);

  // Error 9001 on every rank, with a table, unless all of them say the same.
  void handshake(const Fields& mine);
  // Error 9005 on every rank, which names parts and ranks, unless all hashes are the same.
  void same(const std::string& when, const Fields& hashes);

  // For the watchdog (engine/world/watchdog.h). In "train" a rank has timeout_s, in all other phases ten
  // times.
  void set_timeout(double seconds);
  void phase(const char* name);
  void alive();
  void set_crash_directory(const std::filesystem::path& run);

 private:
  struct Several;  // what more than one rank need
  class Call;
  explicit World(const Launch& launch);

  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  std::vector<std::string> hosts_ = {""};  // by rank
  std::unique_ptr<Several> several_;
};

}  // namespace eb::engine
