// A run remembers the files of its data set, so that a resumed run can say which of them is another.
#pragma once
#include "data/loader.h"
#include "engine/base/error.h"
#include "engine/run/run_dir.h"

namespace eb::tools {

// Writes RUN/data_files.txt if there is none yet: the data are those the run was started with.
void keep_data_list(const engine::RunDir& run, const data::Loaders& loaders);

// Of error 4050 the same with the first file that differs, where the run has a list; any other error as it
// is.
Error with_difference(const Error& error, const engine::RunDir& run, const data::Loaders& loaders);

}  // namespace eb::tools
