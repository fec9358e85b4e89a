// What a collective call costs by its size, and what that predicts.
#pragma once
#include <cstdint>
#include <vector>

namespace eb::tools {

// seconds = alpha + bytes / beta
struct CommFit {
  double alpha = 0;  // seconds of a call that moves nothing
  double beta = 0;   // bytes a second and rank; 0: the times do not grow with the bytes
  double seconds(double bytes) const { return alpha + (beta > 0 ? bytes / beta : 0); }
};

struct CommTime {
  double bytes, seconds;  // on the wire, a rank
};

// Least squares of the relative errors, so that a call of microseconds counts as much as one of a tenth of a
// second; alpha is not negative. At least two sizes.
CommFit fit(const std::vector<CommTime>& times);

// What a rank sends, and receives, for a sum of `bytes` over ranks: each slice once to who adds it, each sum
// once to all. A ring all-reduce sends as much.
double wire_bytes(double bytes, int ranks);

}  // namespace eb::tools
