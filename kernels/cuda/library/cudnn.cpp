#include "kernels/cuda/library/cudnn.h"

namespace eb::kernels::cuda {

// cudnnGetVersion: major * 10000 + minor * 100 + patch; up to version 8 major * 1000 + ...
static std::string checked_version(const SharedLibrary& library) {
  const size_t v = library.function<decltype(&::cudnnGetVersion)>("cudnnGetVersion")();
  const size_t unit = v < 10'000 ? 1000 : 10'000;
  const std::string version =
      std::to_string(v / unit) + "." + std::to_string(v % unit / 100) + "." + std::to_string(v % 100);
  library.check_major(CUDNN_MAJOR, static_cast<int>(v / unit), version);
  return version;
}

static std::string remedy() {
  const std::string major = std::to_string(CUDNN_MAJOR);
  return "install cuDNN " + major + " (pip install nvidia-cudnn-cu" + std::to_string(CUDART_VERSION / 1000) +
         ") and put the folder of libcudnn.so." + major + " on LD_LIBRARY_PATH";
}

Cudnn::Cudnn(const std::vector<std::string>& names)
    : library("cuDNN " + std::to_string(CUDNN_MAJOR), names, remedy()), version(checked_version(library)) {}

void Cudnn::check(cudnnStatus_t status, const char* what) const {
  if (status != CUDNN_STATUS_SUCCESS)
    throw LibraryError("[" + std::string(what) + "] cuDNN " + version + ": " + cudnnGetErrorString(status));
}

// Never destroyed: a thread's handle may be closed after the end of main. The plain name, which development
// packages have, comes last: of another version it says that this one was found.
static const FoundLibrary<Cudnn>& found() {
  static const auto* const once = [] {
    auto names = library_names("libcudnn.so." + std::to_string(CUDNN_MAJOR), EB_CUDNN_FOLDER);
    names.push_back("libcudnn.so");
    return new FoundLibrary<Cudnn>(names);
  }();
  return *once;
}

const Cudnn& cudnn() {
  return found().get();
}
const VendorLibrary& cudnn_library() {
  return found().library;
}

}  // namespace eb::kernels::cuda
