// Numbers as a person reads them, with their unit. Nothing measured is "not measured", never 0. The space
// before a unit does not break.
#pragma once
#include <string>

#include "tools/report/json_read.h"

namespace eb::tools::page {

std::string not_measured();                           // for HTML: the words, set apart from numbers
std::string count(Number n);                          // 923,130
std::string percent(Number share, int decimals = 2);  // 0.8393 -> 83.93 %
std::string metric(Number n, const char* unit);       // 40053770, "FLOPs" -> 40.1 MFLOPs
std::string bytes(Number n);                          // 3.52 MiB
std::string duration(Number seconds);                 // 0.43 s, 21 min 05 s, 1 h 02 min
std::string energy(Number joules);                    // 12,345 J (0.00343 kWh)
std::string times(Number factor);                     // 1.26x
std::string decimal(Number n, int decimals);          // 0.089
std::string brief(double n);                          // shortest with 6 digits: for axes and ratios
bool is_whole(double n);

}  // namespace eb::tools::page
