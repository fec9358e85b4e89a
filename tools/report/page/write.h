// A report on the disk: the page and report.json beside it, and tables and pictures for other programs. Files
// are replaced whole, so one that could not be written leaves the one before. Errors 8001 and 8002.
#pragma once
#include <filesystem>

#include "tools/report/gather/report.h"

namespace eb::tools {

// FILE.json of FILE.html. Error 2070 if that is the same file, 2072 if `page` names none.
std::filesystem::path numbers_beside(const std::filesystem::path& page);

// `page` is FILE.html; the numbers go beside it. Both are there afterwards, or both as they were before.
void write_report(const Report& report, const std::filesystem::path& page);

// networks.csv, epochs.csv, layers.csv, for several runs comparison.csv, and for each watched ratio
// mask_distance_p50.csv and .png (at least 640 pixels wide). `directory` is made. Of several runs the masks
// are in directories run1, run2, ...; the tables have a column "run" that counts from 1.
void write_assets(const Report& report, const std::filesystem::path& directory);

}  // namespace eb::tools
