// The files of a data set as a run keeps them: when the run goes on and the data are others, the first file
// that differs has a name. A line for each, without what its path shares with the one before: some 20 MiB for
// ImageNet.
#pragma once
#include <string>

#include "data/dataset.h"

namespace eb::data {

std::string file_list(const Dataset& train, const Dataset& test);  // empty for data that are no files

// What is different from a list that was made before, for a message: the first file and how many there are;
// empty if nothing is, or it is no such list.
std::string difference(const std::string& list, const Dataset& train, const Dataset& test);

}  // namespace eb::data
