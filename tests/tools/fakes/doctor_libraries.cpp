// NVML with two cards, NCCL and MPI in one library, for the doctor: as much of each as it asks.
// FAKE_NVML_STATUS is what nvmlInit_v2 returns.
#include <cstdlib>
#include <cstring>

namespace {

struct FakeCard {
  const char* name;
  int major, minor;
  unsigned bus;
  unsigned long long bytes;
};
FakeCard cards[] = {{"NVIDIA H200", 9, 0, 0x17, 150'000'000'000},
                    {"NVIDIA A100", 8, 0, 0xca, 85'000'000'000}};

struct PciInfo {
  char legacy_bus_id[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

FakeCard& card(void* device) {
  return *static_cast<FakeCard*>(device);
}

}  // namespace

extern "C" {
int nvmlInit_v2() {
  const char* status = std::getenv("FAKE_NVML_STATUS");
  return status ? std::atoi(status) : 0;
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  std::strncpy(text, "580.65.06", size);
  return 0;
}
int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  *version = 13000;
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &cards[index];
  return 0;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
  std::strncpy(text, card(device).name, size);
  return 0;
}
int nvmlDeviceGetCudaComputeCapability(void* device, int* major, int* minor) {
  *major = card(device).major;
  *minor = card(device).minor;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  total_free_used[0] = card(device).bytes;
  return 0;
}
int nvmlDeviceGetPciInfo_v3(void* device, PciInfo* info) {
  info->bus = card(device).bus;
  return 0;
}
int ncclGetVersion(int* version) {
  *version = 22809;
  return 0;
}
int MPI_Get_library_version(char* text, int* length) {
  std::strcpy(text, "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4");
  *length = static_cast<int>(std::strlen(text));
  return 0;
}
}
