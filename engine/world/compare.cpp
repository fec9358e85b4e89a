#include "engine/world/compare.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

namespace eb::engine {

using nlohmann::json;

constexpr int protocol = 1;  // a rank with another one makes other calls

std::string protocol_message() {
  std::string text = "eb_engine rank, protocol " + std::to_string(protocol);
  text.resize(64, ' ');
  return text;
}

std::string protocol_difference(const std::vector<std::string>& messages) {
  for (size_t r = 1; r < messages.size(); ++r)
    if (messages[r] != messages[0])
      return "rank " + std::to_string(r) + " runs another program than rank 0: it says \"" +
             messages[r].substr(0, messages[r].find_last_not_of(' ') + 1) + "\"";
  return "";
}

std::string message_of(const NamedValues& values) {
  json message = json::array();
  for (const auto& [name, value] : values) message.push_back({name, value});
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<NamedValues> fields_of(const std::vector<std::string>& messages) {
  std::vector<NamedValues> all;
  for (const std::string& message : messages) {
    NamedValues& values = all.emplace_back();
    for (const json& field : json::parse(message))
      values.emplace_back(field.at(0).get<std::string>(), field.at(1).get<std::string>());
  }
  return all;
}

namespace {

// "0-2, 5"
std::string list_of(const std::vector<int>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size();) {
    size_t end = i;
    while (end + 1 < ranks.size() && ranks[end + 1] == ranks[end] + 1) ++end;
    text += (i ? ", " : "") + std::to_string(ranks[i]) + (end > i ? "-" + std::to_string(ranks[end]) : "");
    i = end + 1;
  }
  return text;
}

using Values = std::map<std::string, std::vector<int>>;  // ranks by value

// By name, in the order of the first rank that has it. A rank without the field has "(nothing)".
std::vector<std::pair<std::string, Values>> values_of(const std::vector<NamedValues>& ranks) {
  std::vector<std::pair<std::string, Values>> all;
  std::map<std::string, size_t> place;
  for (const NamedValues& rank : ranks)
    for (const auto& [name, value] : rank)
      if (place.try_emplace(name, all.size()).second) all.push_back({name, {}});
  for (size_t r = 0; r < ranks.size(); ++r) {
    std::vector<bool> has(all.size());
    for (const auto& [name, value] : ranks[r]) {
      all[place.at(name)].second[value].push_back(static_cast<int>(r));
      has[place.at(name)] = true;
    }
    for (size_t i = 0; i < all.size(); ++i)
      if (!has[i]) all[i].second["(nothing)"].push_back(static_cast<int>(r));
  }
  return all;
}

std::string shortened(const std::string& value) {
  constexpr size_t most = 60;
  return value.size() <= most ? value : value.substr(0, most) + "...";
}

}  // namespace

std::string table_of_differences(const std::vector<NamedValues>& ranks) {
  std::string table;
  for (const auto& [name, values] : values_of(ranks)) {
    if (values.size() == 1) continue;
    table += (table.empty() ? "    " : "\n    ") + name + ":";
    const char* separator = " ";
    for (const auto& [value, who] : values) {
      table += separator + shortened(value) + (who.size() == 1 ? " (rank " : " (ranks ") + list_of(who) + ")";
      separator = ", ";
    }
  }
  return table;
}

std::string parts_that_differ(const std::vector<NamedValues>& ranks, const std::vector<std::string>& hosts) {
  std::string parts;
  for (const auto& [name, values] : values_of(ranks)) {
    if (values.size() == 1) continue;
    const auto most = std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) {
      return a.second.size() < b.second.size();
    });
    const bool majority = 2 * most->second.size() > ranks.size();
    for (auto at = values.begin(); at != values.end(); ++at) {
      if (at == most && majority) continue;
      for (const int rank : at->second)
        parts += (parts.empty() ? "" : "; ") + name + " of rank " + std::to_string(rank) + " on " +
                 hosts[static_cast<size_t>(rank)];
    }
    if (!majority) parts += " (no value has a majority)";
  }
  return parts;
}

}  // namespace eb::engine
