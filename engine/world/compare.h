// What ranks say of themselves, compared: pure text, the same on every rank.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace eb::engine {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// 64 bytes that a program of any age understands: that these are ranks of eb_engine, and by which rules and
// build they go on.
std::string protocol_message();
// "" if all ranks sent the same, else a sentence.
std::string protocol_difference(const std::vector<std::string>& messages);

std::string message_of(const NamedValues& values);
std::vector<NamedValues> fields_of(const std::vector<std::string>& messages);

// A line for every field that differs: its name, and each value with the ranks that have it; "" for none.
std::string table_of_differences(const std::vector<NamedValues>& ranks);
// "momentum of rank 3 on HOST": of every part that differs the ranks that are not of the
// majority, of one without a majority all of them; "" for none.
std::string parts_that_differ(const std::vector<NamedValues>& ranks, const std::vector<std::string>& hosts);

}  // namespace eb::engine
