// What the doctor says of the build, the CPU and the memory, on machines of files.
#include <gtest/gtest.h>
#include <sched.h>

#include "support/machine.h"
#include "tools/doctor/cgroup.h"
#include "tools/doctor/cpu.h"

namespace eb::tools {
namespace {

using test::MachineFiles;

const CpuFacts roomy{.model = "Some CPU", .flags = {"avx2", "fma"}, .cores = 8, .allowed = 8};

TEST(DoctorBuild, a_cpu_with_all_instructions_is_well) {
  const Line line = build_line(roomy, {"avx2", "fma"});
  EXPECT_EQ(line.state, LineState::ok);
  EXPECT_EQ(line.advice, "");
  for (const char* part : {"eb_engine ", "commit ", "g++ ", "for CPUs with avx2 fma"})
    EXPECT_NE(line.saw.find(part), std::string::npos) << line.saw;
  EXPECT_NE(build_line(roomy, {}).saw.find("plain x86-64"), std::string::npos);
}

TEST(DoctorBuild, a_foreign_cpu_is_a_problem_that_names_what_it_lacks) {
  const Line line = build_line(roomy, {"avx2", "avx512f", "amx_bf16"});
  EXPECT_EQ(line.state, LineState::problem);
  EXPECT_NE(line.saw.find("this Some CPU lacks avx512f amx_bf16"), std::string::npos) << line.saw;
  EXPECT_NE(line.advice.find("EB_ARCH"), std::string::npos);
  EXPECT_EQ(build_line({}, {"avx2"}).state, LineState::warning) << "flags that nobody tells are not missing";
}

// The names are those of the kernel: the machine that compiled this runs it.
TEST(DoctorBuild, this_build_is_one_for_this_cpu) {
  const CpuFacts cpu = read_cpu("/");
  if (cpu.flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags here";
  EXPECT_EQ(build_line(cpu, instructions_of_build()).state, LineState::ok)
      << build_line(cpu, instructions_of_build()).saw;
}

TEST(DoctorCpu, is_read_from_proc) {
  const MachineFiles machine;
  machine.write("proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2\n\n"
                "processor\t: 1\nmodel name\t: Some CPU\nflags\t\t: fpu avx2\n");
  const CpuFacts cpu = read_cpu(machine.root());
  EXPECT_EQ(cpu.model, "Some CPU");
  EXPECT_EQ(cpu.flags, (std::set<std::string>{"fpu", "avx2"}));
  EXPECT_EQ(cpu.cores, 2);
  EXPECT_EQ(cpu.limit, 0);
  const CpuFacts none = read_cpu(machine.root() / "nowhere");
  EXPECT_EQ(none.model, "");
  EXPECT_TRUE(none.flags.empty());
  EXPECT_EQ(cpu_line(none).state, LineState::ok) << "nothing known is nothing bad";
}

TEST(DoctorCpu, a_narrow_affinity_is_a_warning) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  CpuFacts cpu = read_cpu("/");
  sched_setaffinity(0, sizeof before, &before);
  EXPECT_EQ(cpu.allowed, 1);
  cpu.cores = 8;
  cpu.limit = 0;
  const Line line = cpu_line(cpu);
  EXPECT_EQ(line.state, LineState::warning);
  EXPECT_NE(line.saw.find("1 of 8 cores allowed"), std::string::npos) << line.saw;
  EXPECT_NE(line.advice.find("--bind-to none"), std::string::npos) << line.advice;
  cpu.cores = 1;
  EXPECT_EQ(cpu_line(cpu).state, LineState::ok) << "all that there is";
  EXPECT_EQ(cpu_line(roomy).state, LineState::ok);
}

TEST(DoctorCpu, fewer_cores_by_cgroup_are_a_warning_with_a_number_of_threads) {
  CpuFacts cpu = roomy;
  cpu.limit = 2.5;
  const Line line = cpu_line(cpu);
  EXPECT_EQ(line.state, LineState::warning);
  EXPECT_NE(line.saw.find("2.5 cores' time"), std::string::npos) << line.saw;
  EXPECT_NE(line.advice.find("--threads 2,"), std::string::npos) << line.advice;
  cpu.limit = 8;
  EXPECT_EQ(cpu_line(cpu).state, LineState::ok);
}

TEST(DoctorCgroup, the_smallest_limit_up_to_the_root_counts) {
  const MachineFiles machine;
  machine.write("proc/self/cgroup", "0::/user/run\n");
  EXPECT_EQ(cpu_limit(machine.root()), 0);
  EXPECT_EQ(memory_limit(machine.root()), 0u);
  machine.write("sys/fs/cgroup/user/run/cpu.max", "max 100000\n");
  machine.write("sys/fs/cgroup/user/run/memory.max", "max\n");
  EXPECT_EQ(cpu_limit(machine.root()), 0);
  EXPECT_EQ(memory_limit(machine.root()), 0u);
  machine.write("sys/fs/cgroup/user/run/cpu.max", "400000 100000\n");
  machine.write("sys/fs/cgroup/user/cpu.max", "150000 100000\n");
  machine.write("sys/fs/cgroup/user/memory.max", "2147483648\n");
  EXPECT_EQ(cpu_limit(machine.root()), 1.5);
  EXPECT_EQ(memory_limit(machine.root()), uint64_t{2} << 30);
}

// As in a container, whose own group is the root of what it sees.
TEST(DoctorCgroup, the_first_version_has_a_folder_for_each_controller) {
  const MachineFiles machine;
  machine.write("proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/\n");
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(cpu_limit(machine.root()), 0);
  EXPECT_EQ(memory_limit(machine.root()), 0u);
  machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(cpu_limit(machine.root()), 3);
  EXPECT_EQ(memory_limit(machine.root()), uint64_t{1} << 30);
}

TEST(DoctorMemory, little_of_it_is_a_warning) {
  const MachineFiles machine;
  machine.write("proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n");
  MemoryFacts memory = read_memory(machine.root());
  const Line well = memory_line(memory);
  EXPECT_EQ(well.state, LineState::ok);
  EXPECT_EQ(well.saw, "4.0 GiB available of 8.0 GiB");
  memory.limit = 512 * mib;
  const Line limited = memory_line(memory);
  EXPECT_EQ(limited.state, LineState::warning);
  EXPECT_NE(limited.saw.find("at most 512 MiB by cgroup"), std::string::npos) << limited.saw;
  EXPECT_NE(limited.advice.find("train.batch_size"), std::string::npos);
  EXPECT_EQ(memory_line({.total = 8 * gib, .available = 0.5 * gib}).state, LineState::warning);
}

}  // namespace
}  // namespace eb::tools
