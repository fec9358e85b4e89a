// Which runs make one row of a comparison, and what a row is called.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tools/record/run_files.h"

namespace eb::tools {

struct Row {
  std::map<std::string, std::string>
      settings;  // what its runs have in common and other rows may not, as JSON; empty if unknown
  std::vector<size_t> runs;

  bool dense() const;
  std::string setting(const std::string& key) const;  // "" if it has none
};

std::vector<Row> rows_of(const std::vector<RunFiles>& runs);

// Different for each: "dense" or the ratio, and what else sets a row apart: "p=0.3, weights=reinit".
std::vector<std::string> labels_of(const std::vector<Row>& rows);

}  // namespace eb::tools
