#include "cuda/fakes/nvml.h"

static FakeNvml fake;

extern "C" {
FakeNvml* fake_nvml() {
  return &fake;
}
int nvmlInit_v2() {
  ++fake.inits;
  return fake.init_status;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* address, void** device) {
  if (address != fake.card) return 6;
  *device = &fake;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  if (device != &fake) return 2;  // invalid argument
  *millijoules = fake.millijoules;
  return fake.energy_status;
}
}
