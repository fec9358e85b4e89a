// What the doctor says of disks, shared memory, the network and libraries, and the whole command.
#include "tools/doctor/doctor.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/file.h"
#include "support/paths.h"
#include "support/run_engine.h"
#include "tools/doctor/libraries.h"
#include "tools/doctor/loopback.h"
#include "tools/doctor/mpi.h"
#include "tools/doctor/network.h"
#include "tools/doctor/storage.h"

namespace eb::tools {
namespace {

using nlohmann::json;
using test::Outcome;
using test::run_engine;
using test::TempDir;

const fs::path fake = test::binary_dir() / "fakes/doctor_libraries.so";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(DoctorSharedMemory, a_gibibyte_is_wanted_and_several_cards_need_it) {
  EXPECT_EQ(shared_memory_line({true, 16 * gib, 15 * gib}, 8).state, LineState::ok);
  const SpaceFacts of_a_container{true, 64 * mib, 64 * mib};
  const Line small = shared_memory_line(of_a_container, 1);
  EXPECT_EQ(small.state, LineState::warning);
  EXPECT_EQ(small.saw, "64 MiB free of 64 MiB");
  EXPECT_TRUE(has(small.advice, "--shm-size=1g")) << small.advice;
  EXPECT_EQ(shared_memory_line(of_a_container, 2).state, LineState::problem);
  EXPECT_EQ(shared_memory_line({}, 0).state, LineState::warning);
  const Line full = shared_memory_line({true, 16 * gib, 10 * mib}, 2);
  EXPECT_EQ(full.state, LineState::warning);
  EXPECT_TRUE(has(full.advice, "remove")) << full.advice;
  EXPECT_FALSE(read_shared_memory("/nowhere").there);
}

TEST(DoctorDisk, a_file_is_written_and_gone_again) {
  const TempDir dir;
  const DiskFacts disk = read_disk(dir.path() / "runs/of/mine");
  EXPECT_EQ(disk.error, "");
  EXPECT_EQ(disk.tried, dir.path());
  EXPECT_GT(disk.seconds, 0);
  EXPECT_GT(disk.free, 0);
  EXPECT_TRUE(fs::is_empty(dir.path())) << "nothing stays, and nothing is made";
  EXPECT_TRUE(has(disk_line(disk).saw, "not there yet")) << disk_line(disk).saw;
}

TEST(DoctorDisk, slow_or_full_is_a_warning) {
  DiskFacts disk{.folder = "/tmp", .tried = "/tmp", .free = 100 * gib, .written = 4 * mib, .seconds = 0.01};
  EXPECT_EQ(disk_line(disk).state, LineState::ok);
  EXPECT_EQ(disk_line(disk).saw, "\"/tmp\": 100.0 GiB free, 4 MiB written and synced in 10 ms");
  disk.seconds = 5;
  EXPECT_TRUE(has(disk_line(disk).advice, "checkpoint.every")) << disk_line(disk).advice;
  EXPECT_EQ(disk_line(disk).state, LineState::warning);
  disk.free = gib;
  EXPECT_EQ(disk_line(disk).state, LineState::warning);
  EXPECT_TRUE(has(disk_line(disk).advice, "free some space")) << disk_line(disk).advice;
}

TEST(DoctorDisk, one_that_cannot_be_written_is_a_problem) {
  const TempDir dir;
  for (const auto& [fault, said] :
       {std::pair{"enospc@write:1", "No space"}, {"eio@fsync:1", "cannot sync"}}) {
    engine::set_fault(fault);
    const DiskFacts disk = read_disk(dir.path());
    engine::set_fault("");
    const Line line = disk_line(disk);
    EXPECT_EQ(line.state, LineState::problem);
    EXPECT_TRUE(has(line.saw, said)) << line.saw;
    EXPECT_TRUE(has(line.advice, "--out")) << line.advice;
    EXPECT_TRUE(fs::is_empty(dir.path()));
  }
}

NetworkFacts network_of(const std::vector<Interface>& interfaces, const std::string& chosen = "") {
  return {interfaces, chosen};
}
const Interface lo{"lo", true, {"127.0.0.1"}}, eth{"eth0", true, {"10.0.0.2"}}, ib{"ib0", true, {"10.1.0.2"}},
    docker{"docker0", true, {"172.17.0.1"}}, down{"eth1", false, {"10.2.0.2"}}, bare{"eth2", true, {}};
using Names = std::vector<std::string>;

TEST(DoctorNetwork, nccl_takes_what_its_rules_say) {
  const auto taken = [](const std::vector<Interface>& all, const std::string& chosen = "") {
    return interfaces_of_nccl(network_of(all, chosen));
  };
  EXPECT_EQ(taken({lo, docker, eth, down, bare}), Names{"eth0"});
  EXPECT_EQ(taken({lo, docker, eth, ib}), Names{"ib0"});
  EXPECT_EQ(taken({lo, docker}), Names{"docker0"});
  EXPECT_EQ(taken({lo}), Names{"lo"});
  EXPECT_EQ(taken({}), Names{});
  EXPECT_EQ(taken({lo, docker, eth, ib}, "eth,docker"), (Names{"docker0", "eth0"}));
  EXPECT_EQ(taken({lo, docker, eth, ib}, "^docker,lo"), (Names{"eth0", "ib0"}));
  EXPECT_EQ(taken({lo, eth, ib}, "=eth0"), Names{"eth0"});
  EXPECT_EQ(taken({lo, eth, ib}, "=eth"), Names{});
  EXPECT_EQ(taken({lo, eth, ib}, "^=eth0"), (Names{"lo", "ib0"}));
}

TEST(DoctorNetwork, what_nccl_would_take_is_told) {
  const Line well = network_line(network_of({lo, eth, down}));
  EXPECT_EQ(well.state, LineState::ok);
  EXPECT_EQ(well.saw, "lo 127.0.0.1, eth0 10.0.0.2, eth1 (down) 10.2.0.2; NCCL would take eth0");
  EXPECT_TRUE(has(network_line(network_of({lo})).saw, "one machine alone"));
}

TEST(DoctorNetwork, none_is_a_warning_and_a_wrong_choice_a_problem) {
  const Line none = network_line(network_of({}));
  EXPECT_EQ(none.state, LineState::warning);
  EXPECT_EQ(none.saw, "no interface");
  EXPECT_NE(none.advice, "");
  const Line wrong = network_line(network_of({lo, eth}, "ens5"));
  EXPECT_EQ(wrong.state, LineState::problem);
  EXPECT_TRUE(has(wrong.saw, "\"ens5\", which no interface")) << wrong.saw;
  EXPECT_TRUE(has(wrong.advice, "unset NCCL_SOCKET_IFNAME")) << wrong.advice;
}

TEST(DoctorNetwork, this_machine_s_interfaces_are_read) {
  for (const Interface& i : read_network().interfaces)
    EXPECT_TRUE(i.name != "lo" || !i.up || std::ranges::count(i.addresses, "127.0.0.1") == 1);
}

TEST(DoctorLibraries, nccl_tells_its_version) {
  EXPECT_EQ(read_nccl({fake}).version, "2.28.9");
  EXPECT_EQ(read_nccl({fake}).problem, "");
  const auto other = read_nccl({"libm.so.6"});
  EXPECT_TRUE(has(other.problem, "ncclGetVersion")) << other.problem;
  EXPECT_TRUE(has(read_nccl({"libthere_is_none.so.2"}).remedy, "nvidia-nccl"));
}

TEST(DoctorLibraries, only_what_a_card_needs_is_missed) {
  LibraryFacts none{.cudnn = {.problem = "cuDNN 9 was not found", .remedy = "install it"},
                    .cublas = {.problem = "cuBLAS 13 was not found", .remedy = "install it"},
                    .nccl = {.problem = "NCCL 2 was not found", .remedy = "install it"},
                    .no_nvml = "NVML was not found"};
  const auto warnings = [&](int cards) {
    Names names;
    for (const Line& line : library_lines(none, cards)) {
      EXPECT_NE(line.state, LineState::problem) << "our own kernels do without";
      EXPECT_EQ(line.state == LineState::ok, line.advice.empty()) << line.name;
      if (line.state == LineState::warning) names.push_back(line.name);
    }
    return names;
  };
  EXPECT_EQ(warnings(0), Names{});
  EXPECT_EQ(warnings(1), (Names{"cuDNN", "cuBLAS", "NVML"}));
  EXPECT_EQ(warnings(2), (Names{"cuDNN", "cuBLAS", "NCCL", "NVML"}));
  none.cudnn = {.version = "9.19.0"};
  EXPECT_EQ(library_lines(none, 1).at(0).saw, "9.19.0");
}

// PATH with a launcher of ours in front, for a scope.
class FakeLauncher {
 public:
  explicit FakeLauncher(const std::string& script) {
    test::spit(dir_.path() / "mpirun", "#!/bin/sh\n" + script + "\n");
    fs::permissions(dir_.path() / "mpirun", fs::perms::owner_all);
    setenv("PATH", (dir_.path().string() + ":" + before_).c_str(), 1);
  }
  ~FakeLauncher() { setenv("PATH", before_.c_str(), 1); }
  std::string file() const { return dir_ / "mpirun"; }

 private:
  TempDir dir_;
  std::string before_ = getenv("PATH");
};

TEST(DoctorMpi, its_launcher_and_its_library_are_asked) {
  const FakeLauncher launcher("echo \"mpirun (Open MPI) 4.1.4\"; echo; echo Report bugs");
  const MpiFacts mpi = read_mpi({fake});
  EXPECT_EQ(mpi.launcher, launcher.file());
  EXPECT_EQ(mpi.launcher_version, "mpirun (Open MPI) 4.1.4");
  EXPECT_EQ(mpi.library, "Open MPI v4.1.4");
  EXPECT_EQ(mpi.no_library, "");
  EXPECT_EQ(mpi_line(mpi, 0).state, LineState::ok) << mpi_line(mpi, 0).saw;
}

TEST(DoctorMpi, a_launcher_that_says_nothing_is_a_warning) {
  const FakeLauncher launcher("exit 1");
  const Line line = mpi_line(read_mpi({fake}), 0);
  EXPECT_EQ(line.state, LineState::warning);
  EXPECT_TRUE(has(line.advice, "mpirun --version says nothing")) << line.advice;
}

TEST(DoctorMpi, half_of_it_is_a_warning_and_none_only_for_several_cards) {
  const MpiFacts none{.no_library = "not found"};
  EXPECT_EQ(mpi_line(none, 1).state, LineState::ok);
  EXPECT_EQ(mpi_line(none, 2).state, LineState::warning);
  EXPECT_TRUE(has(mpi_line(none, 2).advice, "openmpi-bin")) << mpi_line(none, 2).advice;
  const MpiFacts whole{
      .built = true, .launcher = "/usr/bin/mpirun", .launcher_version = "4", .library = "Open MPI"};
  EXPECT_EQ(mpi_line(whole, 8).state, LineState::ok);
  MpiFacts lacking = whole;
  lacking.built = false;
  EXPECT_EQ(mpi_line(lacking, 1).state, LineState::ok);
  EXPECT_TRUE(has(mpi_line(lacking, 2).advice, "libopenmpi-dev"));
  for (const MpiFacts& half : {MpiFacts{.launcher = "/usr/bin/mpirun", .no_library = "not found"},
                               MpiFacts{.library = "Open MPI"}}) {
    EXPECT_EQ(mpi_line(half, 0).state, LineState::warning);
    EXPECT_TRUE(has(mpi_line(half, 0).advice, "LD_LIBRARY_PATH"));
  }
}

TEST(Doctor, a_problem_is_exit_code_5_and_a_warning_none) {
  EXPECT_EQ(exit_code_of({ok("a", "b"), warning("c", "d", "e")}), 0);
  EXPECT_EQ(exit_code_of({ok("a", "b"), problem("c", "d", "e")}), 5);
  EXPECT_EQ(
      to_json({warning("c", "d", "e")}),
      nlohmann::ordered_json::parse(R"([{"name": "c", "state": "warning", "saw": "d", "advice": "e"}])"));
}

const std::set<std::string> always = {"build", "CPU",    "memory", "disk", "/dev/shm", "driver", "NUMA",
                                      "cuDNN", "cuBLAS", "NCCL",   "NVML", "MPI",      "network"};

TEST(Doctor, has_a_line_for_each_thing_and_advice_where_it_is_not_well) {
  const TempDir dir;
  const Outcome o = run_engine({"doctor", "--json", "--out", dir / "runs"});
  EXPECT_EQ(o.err, "");
  std::set<std::string> names;
  bool any_problem = false;
  for (const json& line : json::parse(o.out)) {
    EXPECT_EQ(line.size(), 4u);
    names.insert(line["name"]);
    EXPECT_NE(line["saw"], "");
    EXPECT_EQ(line["state"] == "ok", line["advice"] == "") << line;
    any_problem = any_problem || line["state"] == "problem";
  }
  EXPECT_TRUE(std::ranges::includes(names, always)) << o.out;
  EXPECT_EQ(o.exit_code, any_problem ? 5 : 0);
}

TEST(Doctor, a_disk_that_fails_ends_it_with_5_and_every_line) {
  const TempDir dir;
  const Outcome o = run_engine({"doctor", "--out", dir / "runs"}, {.env = {"EB_FAULT=eio@fsync:1"}});
  EXPECT_EQ(o.exit_code, 5) << o.err;
  EXPECT_TRUE(has(o.out, "problem  disk")) << o.out;
  EXPECT_TRUE(has(o.out, "-> ")) << o.out;
  EXPECT_TRUE(has(o.out, "network")) << "what comes behind it too: " << o.out;
}

// All libraries first on the path: two cards, an NCCL and an MPI, on a machine that may have none of them.
TEST(Doctor, sees_cards_and_libraries_of_another_machine) {
  const TempDir dir;
  for (const char* name : {"libnvidia-ml.so.1", "libnccl.so.2", "libmpi.so.40"})
    fs::create_symlink(fake, dir.path() / name);
  const FakeLauncher launcher("echo 'mpirun (Open MPI) 4.1.4'");
  const Outcome o =
      run_engine({"doctor", "--json", "--out", dir / "runs"},
                 {.env = {"LD_LIBRARY_PATH=" + dir.path().string(), "NCCL_SOCKET_IFNAME=nosuch"}});
  std::map<std::string, json> lines;
  for (const json& line : json::parse(o.out)) lines[line["name"]] = line;
  EXPECT_TRUE(has(lines["card 0"].value("saw", ""), "NVIDIA H200, sm_90, 139.7 GiB, 0000:17:00.0")) << o.out;
  EXPECT_TRUE(has(lines["card 1"].value("saw", ""), "NVIDIA A100, sm_80")) << o.out;
  EXPECT_EQ(lines["NCCL"].value("saw", ""), "2.28.9");
  EXPECT_EQ(lines["NVML"].value("state", ""), "ok");
  EXPECT_TRUE(has(lines["MPI"].value("saw", ""), "mpirun (Open MPI) 4.1.4")) << o.out;
  EXPECT_EQ(lines["network"].value("state", ""), "problem") << o.out;
  EXPECT_EQ(o.exit_code, 5);
}

}  // namespace
}  // namespace eb::tools
