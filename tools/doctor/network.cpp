#include "tools/doctor/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>

#include "engine/base/text.h"

namespace eb::tools {

namespace {

// "10.0.0.2"; "" for what is no address of a network.
std::string address_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address && address->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address && address->sa_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&six)) inet_ntop(AF_INET6, &six, text, sizeof text);
  }
  return text;
}

// Of what carries traffic, in the order of the machine.
std::vector<std::string> names_where(const std::vector<Interface>& all,
                                     const std::function<bool(const std::string&)>& wanted) {
  std::vector<std::string> names;
  for (const Interface& i : all)
    if (i.up && !i.addresses.empty() && wanted(i.name)) names.push_back(i.name);
  return names;
}

bool listed(const std::string& name, std::string list, bool& excluded) {
  excluded = list.starts_with("^");
  if (excluded) list.erase(0, 1);
  const bool exact = list.starts_with("=");
  if (exact) list.erase(0, 1);
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');)
    if (exact ? name == word : name.starts_with(word)) return true;
  return false;
}

std::string shown(const Interface& i) {
  return engine::printable(i.name) + (i.up ? "" : " (down)") +
         (i.addresses.empty() ? "" : fmt::format(" {}", fmt::join(i.addresses, " ")));
}

}  // namespace

NetworkFacts read_network() {
  NetworkFacts network;
  if (const char* chosen = std::getenv("NCCL_SOCKET_IFNAME")) network.chosen = chosen;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return network;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  auto& all = network.interfaces;
  for (const ifaddrs* a = first; a; a = a->ifa_next) {  // an entry for each address
    auto at = std::ranges::find(all, a->ifa_name, &Interface::name);
    if (at == all.end()) at = all.insert(all.end(), {.name = a->ifa_name});
    at->up = (a->ifa_flags & IFF_UP) && (a->ifa_flags & IFF_RUNNING);
    if (const std::string text = address_text(a->ifa_addr); !text.empty()) at->addresses.push_back(text);
  }
  return network;
}

std::vector<std::string> interfaces_of_nccl(const NetworkFacts& network) {
  const auto& all = network.interfaces;
  if (!network.chosen.empty())
    return names_where(all, [&](const std::string& name) {
      bool excluded = false;
      return listed(name, network.chosen, excluded) != excluded;
    });
  const auto last = [](const std::string& name) { return name == "lo" || name.starts_with("docker"); };
  auto names = names_where(all, [](const std::string& name) { return name.starts_with("ib"); });
  if (names.empty()) names = names_where(all, [&](const std::string& name) { return !last(name); });
  if (names.empty())
    names = names_where(all, [](const std::string& name) { return name.starts_with("docker"); });
  return names.empty() ? names_where(all, last) : names;
}

// An interface without an address and down says nothing.
Line network_line(const NetworkFacts& network) {
  std::vector<std::string> texts;
  for (const Interface& i : network.interfaces)
    if (i.up || !i.addresses.empty()) texts.push_back(shown(i));
  std::string saw = texts.empty() ? "no interface" : fmt::format("{}", fmt::join(texts, ", "));
  const auto taken = interfaces_of_nccl(network);
  const bool chosen = !network.chosen.empty();
  if (chosen) saw += "; NCCL_SOCKET_IFNAME is " + engine::quote(network.chosen);
  if (chosen && taken.empty())
    return problem("network", saw + ", which no interface that is up fits",
                   "unset NCCL_SOCKET_IFNAME, or give it the name of one: ranks on cards do not start");
  if (taken.empty())
    return warning("network", saw, "ip link set lo up: ranks talk to each other even on one machine");
  saw += fmt::format("; NCCL would take {}", fmt::join(taken, ", "));
  if (!chosen && taken == std::vector<std::string>{"lo"}) return ok("network", saw + ": one machine alone");
  return ok("network", saw);
}

}  // namespace eb::tools
