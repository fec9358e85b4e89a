// The network interfaces, and which of them NCCL would take.
#pragma once
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

struct Interface {
  std::string name;  // "eth0"
  bool up = false;
  std::vector<std::string> addresses;  // IPv4 and IPv6, without those of a link alone (fe80::)
};
struct NetworkFacts {
  std::vector<Interface> interfaces;
  std::string chosen;  // NCCL_SOCKET_IFNAME; empty: not set
};
NetworkFacts read_network();

// By NCCL's documentation of NCCL_SOCKET_IFNAME: a list of prefixes, exact names behind "=", excluded ones
// behind "^". Without it those of InfiniBand; else all others but lo and docker*, which come last.
std::vector<std::string> interfaces_of_nccl(const NetworkFacts& network);

Line network_line(const NetworkFacts& network);

}  // namespace eb::tools
