// An NVML with one card, whose counter is the test's.
#pragma once
#include <string>

struct FakeNvml {
  std::string card = "0000:3B:00.0";
  unsigned long long millijoules = 0;
  int init_status = 0, energy_status = 0;  // nvmlReturn_t; 0 is success, 3 not supported, 6 not found
  int inits = 0;
};
extern "C" FakeNvml* fake_nvml();
