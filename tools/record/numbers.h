// Numbers as a person reads them, with their unit. Nothing measured is "not measured", never 0. The space
// before a unit does not break.
#pragma once
#include <string>

#include "engine/base/json_read.h"

namespace eb::tools::page {

using engine::Number;
using engine::lenient::flag;
using engine::lenient::list;
using engine::lenient::number;
using engine::lenient::text;
using engine::lenient::value;

// part / whole, where both are known and the whole is not 0.
Number share(Number part, Number whole);

std::string not_measured();                           // for HTML: the words, set apart from numbers
std::string count(Number n);                          // 923,130
std::string percent(Number share, int decimals = 2);  // 0.8393 -> 83.93 %
std::string bytes(Number n);                          // 3.52 MiB
std::string energy(Number joules);                    // 12,345 J (0.00343 kWh)
std::string times(Number factor);                     // 1.26x
std::string decimal(Number n, int decimals);          // 0.089
std::string brief(double n);                          // shortest with 6 digits: for axes and ratios
bool is_whole(double n);
std::string epochs(double n);                     // 10, 0.68: where a check lies, counted in epochs
std::string at_epoch(double n);                   // "epoch 10", "0.68 ep"
std::string counted(double n, const char* noun);  // 1 channel, 1,024 channels

// These take the unit from `like` if it is given: a deviation reads as its mean does.
std::string metric(Number n, const char* unit, Number like = {});  // 40053770, "FLOPs" -> 40.1 MFLOPs
std::string duration(Number seconds, Number like = {});            // 0.43 s, 21 min 05 s, 1 h 02 min

// What numbers up to `largest` are best shown in, for axes and columns: 1.8e14, "FLOPs" -> {1e12, "TFLOPs"}.
struct Unit {
  double size;
  std::string name;
};
Unit metric_unit(double largest, const char* unit);

}  // namespace eb::tools::page
