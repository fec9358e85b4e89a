// What the doctor says of drivers and cards: an NVML with two of them, and machines of files.
#include <gtest/gtest.h>

#include "kernels/library_error.h"
#include "support/machine.h"
#include "support/paths.h"
#include "tools/doctor/cards.h"
#include "tools/doctor/nvml.h"

namespace eb::tools {
namespace {

using test::MachineFiles;

const std::vector<std::string> fakes = {(test::binary_dir() / "fakes/doctor_libraries.so").string()},
                               none = {"libthere_is_none.so.1"};

CardFacts one_card(int sm, const std::string& targets) {
  return {.on_bus = 1,
          .driver = "580.65.06",
          .cuda = "13.0",
          .cards = {{.name = "NVIDIA Card", .pci = "0000:17:00.0", .sm = sm, .memory = 80 * gib}},
          .targets = targets,
          .numa_nodes = 1};
}

TEST(DoctorCards, code_for_a_card_follows_cudas_rules) {
  struct Case {
    const char* targets;
    int sm;
    bool runs;
  };
  for (const Case& c : {Case{"80-real", 80, true},
                        {"80-real", 86, true},
                        {"80-real", 90, false},
                        {"86-real", 80, false},
                        {"90a-real", 90, true},
                        {"90a-real", 100, false},
                        {"80-real;90a-real", 89, true},
                        {"80-real;90a-real", 90, true},
                        {"80-real;90a-real", 100, false},
                        {"100-virtual", 120, true},
                        {"100-virtual", 90, false},
                        {"90a-virtual", 100, false},
                        {"100f-virtual", 103, true},
                        {"100f-virtual", 120, false},
                        {"80", 120, true},
                        {"", 80, false},
                        {"native", 80, false}})
    EXPECT_EQ(has_code_for(c.targets, c.sm), c.runs) << c.targets << " on sm_" << c.sm;
}

TEST(DoctorCards, a_card_has_code_in_this_build_or_not) {
  const auto line = [](int sm, const std::string& targets) {
    return card_lines(one_card(sm, targets)).at(1);
  };
  const Line well = line(90, "80-real;90a-real");
  EXPECT_EQ(well.state, LineState::ok);
  EXPECT_EQ(well.saw, "NVIDIA Card, sm_90, 80.0 GiB, 0000:17:00.0: this build has code for it");
  const Line other = line(100, "80-real;90a-real");
  EXPECT_EQ(other.state, LineState::problem);
  EXPECT_NE(other.saw.find("code for sm_80, sm_90a alone"), std::string::npos) << other.saw;
  EXPECT_NE(other.advice.find("EB_CUDA=ON"), std::string::npos) << other.advice;
  const Line old = line(75, "80-real");
  EXPECT_EQ(old.state, LineState::warning);
  EXPECT_NE(old.advice.find("CUDA_VISIBLE_DEVICES"), std::string::npos) << old.advice;
  const Line unused = line(90, "");
  EXPECT_EQ(unused.state, LineState::warning);
  EXPECT_NE(unused.saw.find("no CUDA kernels"), std::string::npos) << unused.saw;
}

TEST(DoctorCards, a_card_without_a_driver_is_a_problem_for_a_build_that_would_use_it) {
  const auto driver = [](int on_bus, const std::string& version, const std::string& targets) {
    return card_lines({.on_bus = on_bus, .driver = version, .cuda = "13.0", .targets = targets}).at(0);
  };
  EXPECT_EQ(driver(0, "", "80-real").state, LineState::ok) << "no card, no driver";
  const Line missing = driver(2, "", "80-real");
  EXPECT_EQ(missing.state, LineState::problem);
  EXPECT_NE(missing.saw.find("2 NVIDIA card(s)"), std::string::npos) << missing.saw;
  EXPECT_NE(missing.advice.find("--gpus all"), std::string::npos) << missing.advice;
  EXPECT_EQ(driver(2, "", "").state, LineState::warning);
  const Line there = driver(2, "580.65.06", "80-real");
  EXPECT_EQ(there.state, LineState::ok);
  EXPECT_EQ(there.saw, "NVIDIA 580.65.06, for CUDA up to 13.0");
}

TEST(DoctorCards, cuda_that_does_not_start_is_a_problem_with_its_reason) {
  CardFacts facts = one_card(90, "90a-real");
  EXPECT_EQ(card_lines(facts).size(), 2u) << "not asked to start";
  facts.started = true;
  facts.started_on = "NVIDIA Card";
  const Line starts = card_lines(facts).at(1);
  EXPECT_EQ(starts.state, LineState::ok);
  EXPECT_EQ(starts.saw, "starts on NVIDIA Card");
  facts.no_start = "the driver supports CUDA 12.2, this build needs 13.0: update the driver";
  const Line fails = card_lines(facts).at(1);
  EXPECT_EQ(fails.state, LineState::problem);
  EXPECT_EQ(fails.saw, facts.no_start);
  EXPECT_NE(fails.advice.find("--device cpu"), std::string::npos);
}

TEST(DoctorCards, are_listed_by_nvml) {
  const NvmlFacts nvml = read_nvml(fakes);
  EXPECT_EQ(nvml.driver, "580.65.06");
  EXPECT_EQ(nvml.cuda, "13.0");
  ASSERT_EQ(nvml.cards.size(), 2u);
  EXPECT_EQ(nvml.cards[0].name, "NVIDIA H200");
  EXPECT_EQ(nvml.cards[0].pci, "0000:17:00.0");
  EXPECT_EQ(nvml.cards[0].sm, 90);
  EXPECT_EQ(nvml.cards[1].memory, 85e9);
  EXPECT_EQ(nvml.cards[1].pci, "0000:ca:00.0");
  setenv("FAKE_NVML_STATUS", "9", 1);
  EXPECT_THROW(read_nvml(fakes), kernels::LibraryError);
  unsetenv("FAKE_NVML_STATUS");
  EXPECT_THROW(read_nvml(none), kernels::LibraryError);
}

TEST(DoctorCards, are_counted_on_the_bus_whatever_the_driver_says) {
  const MachineFiles machine;
  const auto device = [&](const std::string& pci, const std::string& vendor, const std::string& kind) {
    machine.write("sys/bus/pci/devices/" + pci + "/vendor", vendor + "\n");
    machine.write("sys/bus/pci/devices/" + pci + "/class", kind + "\n");
  };
  device("0000:17:00.0", "0x10de", "0x030200");
  device("0000:17:00.1", "0x10de", "0x040300");  // its sound
  device("0000:00:02.0", "0x8086", "0x030000");  // another's
  const CardFacts facts = read_cards(machine.root(), none);
  EXPECT_EQ(facts.on_bus, 1);
  EXPECT_EQ(facts.driver, "");
  EXPECT_TRUE(facts.cards.empty());
  EXPECT_NE(facts.no_nvml.find("libthere_is_none"), std::string::npos) << facts.no_nvml;
  EXPECT_FALSE(facts.started) << "there is nothing to start on";
}

TEST(DoctorCards, the_driver_is_the_one_that_the_kernel_has_loaded) {
  const MachineFiles machine;
  machine.write("proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n"
                "GCC version:  gcc version 12.2.0\n");
  EXPECT_EQ(read_cards(machine.root(), none).driver, "570.124.06");
}

TEST(DoctorNuma, the_node_of_each_card_is_told) {
  const MachineFiles machine;
  for (const char* node : {"node0", "node1"})
    machine.write("sys/devices/system/node/" + std::string(node) + "/cpulist", "0\n");
  machine.write("sys/devices/system/node/online", "0-1\n");
  machine.write("sys/bus/pci/devices/0000:17:00.0/numa_node", "0\n");
  machine.write("sys/bus/pci/devices/0000:ca:00.0/numa_node", "1\n");
  const Line known = numa_line(read_cards(machine.root(), fakes));
  EXPECT_EQ(known.state, LineState::ok);
  EXPECT_EQ(known.saw, "2 node(s), card 0 near node 0, card 1 near node 1");
  machine.write("sys/bus/pci/devices/0000:ca:00.0/numa_node", "-1\n");
  const Line unknown = numa_line(read_cards(machine.root(), fakes));
  EXPECT_EQ(unknown.state, LineState::warning);
  EXPECT_NE(unknown.saw.find("card 1 near an unknown one"), std::string::npos) << unknown.saw;
  CardFacts single = one_card(90, "90a-real");
  EXPECT_EQ(numa_line(single).state, LineState::ok) << "one node: nothing to choose";
}

}  // namespace
}  // namespace eb::tools
