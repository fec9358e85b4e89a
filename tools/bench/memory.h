// Peak resident memory of this process in MiB.
#pragma once
#include <sys/resource.h>

namespace eb::tools {

inline double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

}  // namespace eb::tools
