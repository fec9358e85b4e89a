#include "tools/bench/comm_fit.h"

namespace eb::tools {

// Minimises the sum of ((alpha + bytes * slope) / seconds - 1)^2.
CommFit fit(const std::vector<CommTime>& times) {
  double aa = 0, ab = 0, bb = 0, a = 0, b = 0;
  for (const CommTime& t : times) {
    const double one = 1 / t.seconds, bytes = t.bytes / t.seconds;
    aa += one * one, ab += one * bytes, bb += bytes * bytes, a += one, b += bytes;
  }
  const double determinant = aa * bb - ab * ab;
  double alpha = determinant > 0 ? (a * bb - b * ab) / determinant : 0;
  double slope = determinant > 0 ? (b * aa - a * ab) / determinant : 0;
  if (alpha < 0) alpha = 0, slope = bb > 0 ? b / bb : 0;
  if (slope < 0) alpha = a / aa, slope = 0;
  return {alpha, slope > 0 ? 1 / slope : 0};
}

double wire_bytes(double bytes, int ranks) {
  return 2. * (ranks - 1) / ranks * bytes;
}

}  // namespace eb::tools
