// The NVIDIA cards of this machine, their driver, and whether this build has code for each.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

struct Card {
  std::string name;              // "NVIDIA H200"
  std::string pci;               // as sysfs has it: "0000:17:00.0"
  int sm = 0;                    // compute capability times 10
  double memory = 0;             // bytes
  std::optional<int> numa = {};  // the node whose memory and cores are near; nothing: not known
};

struct CardFacts {
  int on_bus = 0;           // of NVIDIA, whatever the driver says
  std::string driver;       // "580.65.06"; empty: none is loaded
  std::string cuda;         // that the driver supports: "13.0"; empty: not known
  std::string visible;      // CUDA_VISIBLE_DEVICES, if it is set
  std::vector<Card> cards;  // as NVML lists them, whatever is visible
  std::string no_nvml;      // why they could not be listed
  std::string targets;      // of this build ("80-real;90a-real"); empty: it has no kernels for cards
  bool started = false;     // CUDA was asked to start on the first visible card (kernels/device_info.h)
  std::string started_on, no_start;  // the card's name, or why it did not
  int numa_nodes = 0;
};
// `nvml`: names of the library, the first that loads is taken.
CardFacts read_cards(const fs::path& root, const std::vector<std::string>& nvml = {"libnvidia-ml.so.1"});

// By the rules of CUDA's binaries: machine code of sm_80 runs on 8.0 and later of 8, that of sm_90a on 9.0
// alone, of sm_100f on all of 10, PTX on what it was made for and all later cards.
bool has_code_for(std::string_view targets, int sm);

std::vector<Line> card_lines(const CardFacts& facts);  // driver, CUDA, a line for each card
Line numa_line(const CardFacts& facts);

}  // namespace eb::tools
